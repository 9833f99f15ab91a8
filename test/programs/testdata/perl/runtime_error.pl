use strict;

my $nobody;
print $nobody->name;
