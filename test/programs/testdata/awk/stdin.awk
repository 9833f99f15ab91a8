{
	for (i = 1; i <= NF; i++) {
		sum += $i
		# Insertion sort: plain AWK has no sort function.
		for (j = ++n; j > 1 && v[j - 1] > $i + 0; j--)
			v[j] = v[j - 1]
		v[j] = $i + 0
	}
}
END {
	printf "sum %d\nsorted", sum
	for (i = 1; i <= n; i++)
		printf " %d", v[i]
	printf "\n"
	print "count " n > "out.txt"
}
