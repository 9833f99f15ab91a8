# A shell has processes.
for i in 1 2 3 4; do
  (
    part=0
    n=$i
    while [ $n -le 1000 ]; do
      part=$((part + n))
      n=$((n + 4))
    done
    echo $part > part$i
  ) &
done
wait
sum=0
for i in 1 2 3 4; do
  read -r part < part$i
  sum=$((sum + part))
done
echo "sum $sum"
