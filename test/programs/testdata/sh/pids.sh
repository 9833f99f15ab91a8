i=0
while [ $i -lt 200 ]; do
  sleep 30 &
  i=$((i + 1))
done
echo "never refused"
exit 1
