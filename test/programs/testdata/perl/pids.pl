$| = 1;
for (1 .. 200) {
    my $pid = fork();
    if (!defined $pid) {
        print "refused\n";
        exit 0;
    }
    if ($pid == 0) {
        sleep 30;
        exit 0;
    }
}
print "never refused\n";
exit 1;
