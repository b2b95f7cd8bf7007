# Runs as the person before the server: sees that the home is there, is theirs, and has room.
# $1: the home as this container sees it. $2: "directory" on a claim that many share, or "claim".
# $3: "full" where it need not have room.
# The exit code says what is wrong: 28 it is full, 13 it is not theirs or cannot be written.

home=$1
export LC_ALL=C

refuse() {
    printf '%s\n' "$2" >"${TOLD:-/dev/termination-log}"
    exit "$1"
}

judge() {
    case $1 in
        *"No space left"* | *"quota exceeded"*) refuse 28 "$1" ;;
        *) refuse 13 "$1" ;;
    esac
}

if [ "$2" = directory ]; then
    said=$(mkdir -p -m 0700 -- "$home" 2>&1) || judge "$said"
    [ -O "$home" ] || refuse 13 "The directory belongs to somebody else."
fi

[ "${3:-}" != full ] || exit 0
# A mebibyte that has reached the disk: an empty file fits into a full home.
probe=$(mktemp "$home/.lsp-room.XXXXXX" 2>&1) || judge "$probe"
said=$(dd if=/dev/zero of="$probe" bs=65536 count=16 conv=fsync 2>&1)
is_written=$?
rm -f -- "$probe"
[ "$is_written" = 0 ] || judge "$said"
