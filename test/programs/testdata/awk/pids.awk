BEGIN {
	for (i = 0; i < 200; i++) {
		if (system("sleep 30 & ") != 0) {
			print "refused"
			exit 0
		}
	}
	print "never refused"
	exit 1
}
