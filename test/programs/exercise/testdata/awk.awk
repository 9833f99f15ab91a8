function check(right, part) {
	if (!right) {
		print part > "/dev/stderr"
		exit 1
	}
	print part " ok"
	fflush()
}

BEGIN {
	"echo from a child" | getline line
	check(line == "from a child" && close("echo from a child") == 0 && system("true") == 0, "process")

	# mktemp is awk's only way to a name of its own.
	"mktemp" | getline name
	printf "hello\n" > name
	close(name)
	getline line < name
	check(line == "hello" && system("rm " name) == 0, "file")

	check(toupper("é") == "É" && length("é") == 1, "locale")

	"TZ=Asia/Tokyo date -d @1700000000 +%R" | getline line
	check(line == "07:13", "zone")

	block = "0123456789abcdef"
	while (length(block) < 33554432)
		block = block block
	check(length(block) == 33554432, "memory")
}
