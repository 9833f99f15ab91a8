use strict;
use warnings;
use threads;

my @threads = map {
    my $first = $_;
    threads->create(sub {
        my $part = 0;
        for (my $n = $first; $n <= 1000; $n += 4) { $part += $n }
        return $part;
    });
} 1 .. 4;
my $sum = 0;
$sum += $_->join for @threads;
print "sum $sum\n";
