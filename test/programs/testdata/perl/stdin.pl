use strict;
use warnings;
use List::Util qw(sum0);

my @values = sort { $a <=> $b } map { split } <STDIN>;
print "sum ", sum0(@values), "\n";
print "sorted @values\n";
open(my $out, '>', 'out.txt') or die "out.txt: $!";
print $out "count ", scalar(@values), "\n";
close($out) or die "out.txt: $!";
