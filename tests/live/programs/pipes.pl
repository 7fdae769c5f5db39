# Processes in all ways that Perl knows; the output is the same each time.
use strict;
use warnings;
use POSIX ":sys_wait_h";
$| = 1;
for my $turn (1 .. $ARGV[0]) {
    my $pid = open(my $child, '-|') // die;
    if (!$pid) { print "line $_ of $turn\n" for 1 .. 3; exit 3; }
    print "from the child: $_" while <$child>;
    close $child;
    print "status ", $? >> 8, "\n";
    $pid = open($child, '|-') // die;
    if (!$pid) { my $n = 0; $n++ while <STDIN>; print "the child read $n\n"; exit 0; }
    print $child "x\n" for 1 .. 100;
    close $child;
    open(my $sorted, '-|', 'sort', '-r', '/proc/self/comm') // die;
    print "sort: ", <$sorted>;
    close $sorted;
    print "backticks: ", `echo $turn | tr 1-9 a-i`;
    system('exit 5;');
    print "system ", $? >> 8, "\n";
    my %waits;
    for my $n (1 .. 5) { my $made = fork // die; if (!$made) { select undef, undef, undef, 0.002 * $n; exit $n; } $waits{$made} = $n; }
    my $sum = 0;
    while ((my $ended = waitpid -1, 0) > 0) { die "who is $ended?" unless delete $waits{$ended}; $sum += $? >> 8; }
    print "sum $sum\n";
    local $SIG{CHLD} = sub { 1 while waitpid(-1, WNOHANG) > 0 };
    my $made = fork // die;
    exit 0 if !$made;
    sleep 1 while kill 0, $made;
    print "caught\n";
}
