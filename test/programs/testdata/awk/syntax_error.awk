BEGIN { print "never printed"
