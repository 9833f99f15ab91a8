BEGIN { while (1) print "0123456789abcdef" }
