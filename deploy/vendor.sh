#!/usr/bin/env bash
# Fetches the browser files and fonts that the portal ships, at the versions below, and writes their versions
# and checksums beside them. Run it to change a version; neither a build nor a running portal needs it or node.
#
#   deploy/vendor.sh            (needs npm, tar, sha512sum)
#
# plotly.js-basic-dist-min must equal the plotly.js that Python's plotly bundles: figures are built for that one.
set -euo pipefail

BOOTSTRAP=5.3.8
PLOTLY=4.1.1
ICONS=1.13.2
AXE=4.14.1
DEJAVU=2.37.3

ICON_NAMES=(
  arrow-right book box-arrow-in-right box-arrow-right box-arrow-up-right calendar3 check-circle-fill check-lg
  chevron-left chevron-right circle-half clipboard clock-history cpu database download exclamation-triangle-fill
  gear globe2 graph-up hdd house inbox info-circle-fill journal-code key map moon-stars pencil people
  person-circle play-fill plus-lg question-circle search shield-lock speedometer2 stars stop-fill sun trash
  x-octagon-fill
)

root=$(cd "$(dirname "$0")/.." && pwd)
vendor=$root/lsp_portal/static/vendor
axe=$root/tests/e2e/axe
fonts=$root/accounting/group_statements/fonts
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# unpack NAME VERSION: downloads and unpacks one package to $work/NAME
unpack() {
  local archive
  archive=$(cd "$work" && npm pack --silent "$1@$2")
  mkdir -p "$work/$1"
  tar -xzf "$work/$archive" -C "$work/$1" --strip-components=1
}

# take SOURCE TARGET: copies a file without the link to its source map, which is not shipped
take() {
  mkdir -p "$(dirname "$2")"
  sed -E '/^\/[\/*][#@] sourceMappingURL=.*$/d' "$1" >"$2"
}

# sprite DIRECTORY: prints one SVG with a symbol for each of ICON_NAMES
sprite() {
  local name
  printf '<svg xmlns="http://www.w3.org/2000/svg">\n'
  for name in "${ICON_NAMES[@]}"; do
    sed -E "s|<svg [^>]*viewBox=\"([^\"]*)\">|<symbol id=\"$name\" viewBox=\"\1\">|; s|</svg>|</symbol>|" \
      "$1/$name.svg"
    printf '\n'
  done
  printf '</svg>\n'
}

# inventory DIRECTORY ROW...: writes VENDOR.md from "name|version|licence|file" rows
inventory() {
  local directory=$1 row name version licence file sum
  shift
  {
    printf '# Files made by others\n\nWritten by `deploy/vendor.sh`; do not edit these files by hand.\n\n'
    printf '| package | version | licence | file | sha512 |\n|---|---|---|---|---|\n'
    for row in "$@"; do
      IFS='|' read -r name version licence file <<<"$row"
      sum=$(sha512sum "$directory/$file" | cut -d' ' -f1)
      printf '| %s | %s | %s | `%s` | `%s` |\n' "$name" "$version" "$licence" "$file" "$sum"
    done
  } >"$directory/VENDOR.md"
}

unpack bootstrap "$BOOTSTRAP"
unpack plotly.js-basic-dist-min "$PLOTLY"
unpack bootstrap-icons "$ICONS"
unpack axe-core "$AXE"
unpack dejavu-fonts-ttf "$DEJAVU"

rm -rf "$vendor" "$axe" "$fonts"
take "$work/bootstrap/dist/css/bootstrap.min.css" "$vendor/bootstrap/bootstrap.min.css"
take "$work/bootstrap/dist/js/bootstrap.bundle.min.js" "$vendor/bootstrap/bootstrap.bundle.min.js"
take "$work/bootstrap/LICENSE" "$vendor/bootstrap/LICENSE"
take "$work/plotly.js-basic-dist-min/plotly-basic.min.js" "$vendor/plotly/plotly-basic.min.js"
take "$work/plotly.js-basic-dist-min/LICENSE" "$vendor/plotly/LICENSE"
mkdir -p "$vendor/icons"
sprite "$work/bootstrap-icons/icons" >"$vendor/icons/sprite.svg"
take "$work/bootstrap-icons/LICENSE" "$vendor/icons/LICENSE"
inventory "$vendor" \
  "bootstrap|$BOOTSTRAP|MIT|bootstrap/bootstrap.min.css" \
  "bootstrap|$BOOTSTRAP|MIT|bootstrap/bootstrap.bundle.min.js" \
  "plotly.js-basic-dist-min|$PLOTLY|MIT|plotly/plotly-basic.min.js" \
  "bootstrap-icons|$ICONS|MIT|icons/sprite.svg"

take "$work/axe-core/axe.min.js" "$axe/axe.min.js"
take "$work/axe-core/LICENSE" "$axe/LICENSE"
take "$work/axe-core/LICENSE-3RD-PARTY.txt" "$axe/LICENSE-3RD-PARTY.txt"
inventory "$axe" "axe-core|$AXE|MPL-2.0|axe.min.js"

mkdir -p "$fonts"
cp "$work/dejavu-fonts-ttf/ttf/DejaVuSans.ttf" "$work/dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf" "$fonts/"
cp "$work/dejavu-fonts-ttf/LICENSE" "$fonts/LICENSE"
inventory "$fonts" \
  "dejavu-fonts-ttf|$DEJAVU|Bitstream-Vera|DejaVuSans.ttf" \
  "dejavu-fonts-ttf|$DEJAVU|Bitstream-Vera|DejaVuSans-Bold.ttf"
