#!/usr/bin/env bash
# Put the OpenID provider of the tests into a folder, with the Node of this machine or of the hub's
# environment: install-oidc-provider.sh FOLDER HUB_ENVIRONMENT
set -euo pipefail
folder=$1
PATH="$PATH:$(realpath "$2")/bin"

mkdir -p "$folder"
cp deploy/oidc-provider/package.json deploy/oidc-provider/server.js "$folder/"
npm install --prefix "$folder" --no-package-lock --no-audit --no-fund --loglevel=error
touch "$folder/.ready"
