set -u
echo "before"
echo "$nobody"
echo "never printed"
