use strict;
use warnings;

my @blocks;
for my $i (1 .. 96) {
    my $block = "\0" x (1 << 20);
    vec($block, $i, 8) = 1;
    push @blocks, $block;
}
print scalar(@blocks), " blocks\n";
