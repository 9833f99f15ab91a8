printf -v block '%1048576s' x
for ((i = 1; i <= 96; i++)); do
  blocks[i]=$block
done
echo "${#blocks[@]} blocks"
