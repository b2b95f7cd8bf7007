"""Django's PostgreSQL backend, which starts or joins the embedded server at its first connection.

Set `EMBEDDED_FOLDER` beside `ENGINE`; commands that need no database never start the server.
"""

from pathlib import Path
from typing import Any

from django.db.backends.postgresql.base import DatabaseWrapper as PostgresWrapper

from . import USER, join


class DatabaseWrapper(PostgresWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        address = join(Path(self.settings_dict["EMBEDDED_FOLDER"]))
        self.settings_dict.update(HOST=address.host, PORT=address.port, USER=USER)
        return super().get_connection_params()
