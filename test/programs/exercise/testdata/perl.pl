use strict;
use warnings;
use threads;
use threads::shared;
use File::Temp;
use IO::Socket::INET;
use POSIX qw(setlocale LC_ALL strftime tzset);
use utf8;

sub check {
    my ($right, $part) = @_;
    die "$part: $!" unless $right;
    print "$part ok\n";
}

$| = 1;
my $sum : shared = 0;
my @all = map { threads->create(sub { lock($sum); $sum += $_[0] }, $_) } 1 .. 4;
$_->join for @all;
check($sum == 10, 'threads');

check(`echo from a child` eq "from a child\n", 'process');

my $listening = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "listen: $!";
my $child = fork() // die "fork: $!";
if ($child == 0) {
    my $served = $listening->accept or die "accept: $!";
    print $served "hello\n";
    close $served;
    POSIX::_exit(0);
}
my $client = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $listening->sockport, Proto => 'tcp') or die "connect: $!";
check(<$client> eq "hello\n" && waitpid($child, 0) == $child && $? == 0, 'socket');

my $file = File::Temp->new;
print $file 'hello';
$file->flush;
open my $again, '<', $file->filename or die "open: $!";
check(<$again> eq 'hello', 'file');

check(setlocale(LC_ALL, '') && uc('é') eq 'É', 'locale');

$ENV{TZ} = 'Asia/Tokyo';
tzset();
check(strftime('%F %R %Z', localtime 1700000000) eq '2023-11-15 07:13 JST', 'zone');

my $block = "\1" x (96 << 20);
check(length($block) == 96 << 20, 'memory');
