# Runs as the person before the server: brings the standard notebooks in the home up to date.
# $1: the repository. $2: branch, tag or commit. $3: the home. $4: the directory in it.
# Whatever happens the server starts: the exit code is 0, and one line says what came of it.

repository=$1 ref=$2 home=$3 name=$4
target=$home/$name
fetch_seconds=60
export LC_ALL=C HOME="$home" GIT_TERMINAL_PROMPT=0 GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
work=

finish() {
    [ -z "$work" ] || rm -rf -- "$work"
    [ -z "$1" ] || printf '%s\n' "$1" >"${TOLD:-/dev/termination-log}"
    exit 0
}

try() {
    said=$("$@" 2>&1) || finish "failed $(printf '%s\n' "${said:-it took too long}" | head -n 1)"
}

fetch() {
    try timeout "$fetch_seconds" git -C "$1" fetch --quiet --depth 1 --force "$repository" "$ref"
}

download() {
    try mktemp -d "$home/.lsp-notebooks.XXXXXX"
    work=$said
    try git init --quiet "$work/new"
    fetch "$work/new"
    deliver "$work/new"
}

# What was delivered is noted, so that commits of the person are told from ours. Files cannot be
# written by accident; directories can, for what notebooks leave beside themselves.
deliver() {
    try git -C "$1" checkout --quiet --force --no-overwrite-ignore --detach FETCH_HEAD
    try git -C "$1" update-ref refs/lsp/delivered FETCH_HEAD
    try find "$1" -name .git -prune -o -type f -exec chmod a-w {} +
}

is_changed() {
    [ "$(git -C "$target" rev-parse HEAD refs/lsp/delivered 2>&1 | uniq | wc -l)" -ne 1 ] ||
        [ -n "$(git -C "$target" status --porcelain 2>&1 | grep -v '\.ipynb_checkpoints/$')" ]
}

free_name() {
    free=$name-yours-$(date -u +%Y-%m-%d)
    number=1
    while [ -e "$home/$free" ]; do
        number=$((number + 1))
        free=$name-yours-$(date -u +%Y-%m-%d)-$number
    done
}

command -v git >/dev/null || finish "failed the image has no git"
# What a start left that was killed.
find "$home" -maxdepth 1 -name '.lsp-notebooks.*' -mmin +60 -exec rm -rf -- {} +

if [ ! -e "$target" ]; then
    download
    try mkdir -p -- "$(dirname "$target")"
    mv -T -- "$work/new" "$target" 2>/dev/null || [ -d "$target/.git" ] || finish "taken $name"
    finish "refreshed $name"
fi

git -C "$target" rev-parse --quiet --verify refs/lsp/delivered >/dev/null 2>&1 || finish "taken $name"
find "$target/.git" -maxdepth 1 -name '*.lock' -mmin +10 -delete
fetch "$target"
fetched=$(git -C "$target" rev-parse FETCH_HEAD)
[ "$fetched" != "$(git -C "$target" rev-parse refs/lsp/delivered)" ] || finish ""

if is_changed; then
    download
    free_name
    try mv -T -- "$target" "$home/$free"
    try mv -T -- "$work/new" "$target"
    finish "kept $free"
fi
deliver "$target"
finish "refreshed $name"
