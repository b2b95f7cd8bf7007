#!/usr/bin/env bash
# Fill a virtual environment from a list with hashes: install.sh ENVIRONMENT LIST
set -euo pipefail
environment=$1 list=$2 python=${PYTHON:-python3.11}

[ -x "$environment/bin/python" ] || "$python" -m venv "$environment"
uv=.venv/bin/uv
if [ ! -x "$uv" ]; then
    .venv/bin/pip install --quiet --require-hashes -r requirements-uv.txt || uv=false
fi
# uv does not read pip's configuration: where the packages come from another index, pip finds them.
"$uv" pip install --quiet --python "$environment/bin/python" --require-hashes -r "$list" ||
    "$environment/bin/pip" install --quiet --require-hashes -r "$list"
touch "$environment/.ready"
echo "$environment holds $list"
