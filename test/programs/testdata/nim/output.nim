while true:
  echo "0123456789abcdef"
