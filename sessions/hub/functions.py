"""The database functions that store events and derive records from them (`sql/`).

A change of a file reaches databases that are there already by a new migration that runs `CREATE`
again. A function whose arguments change takes another name.
"""

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "sql"
FILES = (
    "session",
    "evidence",
    "derived",
    "snapshots",
    "apply",
    "workers",
    "reports",
    "parts",
    "follow",
    "gone",
    "take_in",
)
CREATE = "\n".join((FOLDER / f"{name}.sql").read_text() for name in FILES)
NAMES = re.findall(r"^CREATE OR REPLACE FUNCTION (\w+)\(", CREATE, re.MULTILINE)
DROP = "".join(f"DROP FUNCTION {name};\n" for name in reversed(NAMES))
