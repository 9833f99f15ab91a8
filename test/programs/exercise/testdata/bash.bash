set -euo pipefail
export LC_ALL=C.UTF-8

text=$(echo from a child | cat)
[ "$text" = "from a child" ]
sleep 0 &
wait $!
coproc cat
echo hello >&"${COPROC[1]}"
read -r answer <&"${COPROC[0]}"
[ "$answer" = hello ]
echo process ok

# Only the client's side: to listen is not for a shell.
if (exec 3<> /dev/tcp/127.0.0.1/9) 2> /dev/null; then exit 1; fi
(exec 3<> /dev/udp/127.0.0.1/9; printf hello >&3)
echo socket ok

name=$(mktemp)
cat > "$name" <<< hello
[ "$(< "$name")" = hello ]
rm "$name"
mapfile -t words < <(printf 'a\nb\n')
[ "${#words[@]}" = 2 ]
echo file ok

word=é
[ "${word^}" = É ] && [ "${#word}" = 1 ]
echo locale ok

TZ=Asia/Tokyo printf -v moment '%(%F %R %Z)T' 1700000000
[ "$moment" = "2023-11-15 07:13 JST" ]
echo zone ok

printf -v block '%33554432s' ''
[ "${#block}" = 33554432 ]
echo memory ok
