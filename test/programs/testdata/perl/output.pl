print "0123456789abcdef\n" while 1;
