values=()
sum=0
while read -r -a words; do
  for v in "${words[@]}"; do
    values+=("$v")
    sum=$((sum + v))
  done
done
mapfile -t sorted < <(printf '%s\n' "${values[@]}" | sort -n)
echo "sum $sum"
echo "sorted ${sorted[*]}"
echo "count ${#values[@]}" > out.txt
