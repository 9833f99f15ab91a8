for ((i = 0; i < 200; i++)); do
  sleep 30 &
done
echo "never refused"
exit 1
