#!/usr/bin/env python
"""The portal's commands: `manage.py help` lists them."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lsp_portal.settings")
    from django.core.management import execute_from_command_line

    from lsp_portal.lib.acting import acting_for

    with acting_for(words=" ".join(["command", *sys.argv[1:2]])):
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
