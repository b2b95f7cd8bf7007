# Runs as the person before a rescue session: lists what is large in the home.
# $1: the home. $2: the home of this session, which goes with it.

home=$1 place=$2 list=$2/BIGGEST.txt
list_seconds=60
export LC_ALL=C

ln -s -- "$home" "$place/your-home"
# What is deleted in JupyterLab would else move into a wastebasket in the very home that is full.
mkdir -p "$place/.jupyter"
printf '{"FileContentsManager": {"delete_to_trash": false}}\n' >"$place/.jupyter/jupyter_server_config.json"
for file in .profile .bashrc; do
    printf 'cat "%s"\n' "$list" >"$place/$file"
done

timeout "$list_seconds" du -akx "$home" 2>/dev/null >/tmp/sizes
[ "$?" != 124 ] || late=" as far as they were found in a minute"
{
    printf 'Your home is %s (here: your-home). Delete what you do not need, then stop this server.\n' "$home"
    printf 'This session is not charged; files in it that are not in your home go with it.\n\n'
    printf 'The biggest files and folders%s, in MB:\n\n' "${late:-}"
    sort -rn /tmp/sizes | head -n 50 |
        awk '{ size = $1; sub(/^[0-9]+[ \t]+/, ""); printf "%10.1f  %s\n", size * 1024 / 1e6, $0 }'
} >"$list"
rm -f /tmp/sizes
