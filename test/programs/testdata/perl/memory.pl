my @blocks;
push @blocks, 'x' x (1 << 20) . scalar(@blocks) while 1;
