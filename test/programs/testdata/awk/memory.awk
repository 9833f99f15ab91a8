BEGIN {
	block = "0123456789abcdef"
	while (1) block = block block
}
