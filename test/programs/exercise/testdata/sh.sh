set -eu

text=$(echo from a child | cat)
[ "$text" = "from a child" ]
sleep 0 &
wait $!
echo process ok

name=$(mktemp)
cat > "$name" << END
hello
END
[ "$(cat "$name")" = hello ]
rm "$name"
mkfifo pipe
echo hello > pipe &
read -r text < pipe
[ "$text" = hello ]
echo file ok

[ "$(printf 'b\na\n' | sort | head -n 1)" = a ]
[ "$(locale charmap)" = UTF-8 ]
echo locale ok

[ "$(TZ=Asia/Tokyo date -d @1700000000 '+%F %R %Z')" = "2023-11-15 07:13 JST" ]
echo zone ok

block=$(head -c 33554432 /dev/zero | tr '\0' x)
[ "${#block}" = 33554432 ]
echo memory ok
