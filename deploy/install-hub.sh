#!/usr/bin/env bash
# Put into a hub's environment what no list of packages holds: our plugin from its sources,
# configurable-http-proxy, and Node where the machine has none: install-hub.sh ENVIRONMENT
set -euo pipefail
environment=$(realpath "$1")

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    "$environment/bin/pip" install --quiet --require-hashes -r requirements-node.txt
    export PATH="$environment/bin:$PATH"
fi
packages=$("$environment/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
realpath deploy/hub-plugin > "$packages/lsp_hub.pth"

mkdir -p "$environment/proxy"
cp deploy/proxy/package.json "$environment/proxy/"
npm install --prefix "$environment/proxy" --no-package-lock --no-audit --no-fund --loglevel=error
ln -sf ../proxy/node_modules/.bin/configurable-http-proxy "$environment/bin/configurable-http-proxy"
touch "$environment/.ready"
