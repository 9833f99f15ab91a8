BEGIN {
	block = "0123456789abcdef"
	while (length(block) < 1048576)
		block = block block
	for (i = 1; i <= 96; i++)
		blocks[i] = block i
	if (length(blocks[96]) == 1048578)
		print "96 blocks"
}
