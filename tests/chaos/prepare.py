"""The portal's side of the chaos: its database, the people, and the hub, whose secret is printed.

Run as `python -m tests.chaos.prepare PERSON...`.
"""

from __future__ import annotations

import sys

import django
from django.core.management import call_command


def main(names: list[str]) -> None:
    django.setup()
    call_command("migrate", verbosity=0)
    from accounts.models import User
    from lsp_portal.lib import clock
    from sessions.hub.registry import create_hub, only_secret
    from tests import factories

    transients = factories.group("transients")
    for name in names:
        person = User.objects.create(username=name, registered_at=factories.LONG_AGO)
        factories.membership(person, transients, "pi" if name == names[0] else "member")
    hub = create_hub("demo", title="Demo", public_url="", api_url="", at=clock.now())
    print(only_secret(hub))  # noqa: T201  # for the program that started this one


if __name__ == "__main__":
    main(sys.argv[1:])
