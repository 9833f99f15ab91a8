words=$(cat)
sum=0
count=0
for v in $words; do
  sum=$((sum + v))
  count=$((count + 1))
done
echo "sum $sum"
echo sorted $(for v in $words; do echo "$v"; done | sort -n)
echo "count $count" > out.txt
