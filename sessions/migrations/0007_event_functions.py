"""The database functions that store events and derive records from them (sessions/hub/sql)."""

import re
from pathlib import Path

from django.db import migrations, models

FOLDER = Path(__file__).resolve().parent.parent / "hub" / "sql"
FILES = (
    "session",
    "evidence",
    "derived",
    "snapshots",
    "apply",
    "reports",
    "parts",
    "follow",
    "gone",
    "take_in",
)
CREATE = "\n".join((FOLDER / f"{name}.sql").read_text() for name in FILES)
NAMES = re.findall(r"^CREATE OR REPLACE FUNCTION (\w+)\(", CREATE, re.MULTILINE)
DROP = "".join(f"DROP FUNCTION {name};\n" for name in reversed(NAMES))


class Migration(migrations.Migration):
    dependencies = [("hub_sessions", "0006_snapshots")]

    operations = [
        migrations.RemoveIndex(model_name="snapshot", name="snapshot_complete"),
        migrations.AddIndex(
            model_name="snapshot",
            index=models.Index(fields=["hub", "time"], name="snapshot_time"),
        ),
        migrations.RunSQL(CREATE, DROP),
    ]
