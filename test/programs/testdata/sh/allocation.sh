block=0123456789abcdef
while [ ${#block} -lt 1048576 ]; do
  block=$block$block
done
i=0
while [ $i -lt 96 ]; do
  i=$((i + 1))
  eval "block$i=\$block"
done
[ ${#block96} = 1048576 ] && echo "$i blocks"
