# A shell has processes.
for i in 1 2 3 4; do
  (
    part=0
    for ((n = i; n <= 1000; n += 4)); do
      part=$((part + n))
    done
    echo $part > part$i
  ) &
done
wait
sum=0
for i in 1 2 3 4; do
  sum=$((sum + $(< part$i)))
done
echo "sum $sum"
