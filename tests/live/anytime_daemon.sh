#!/bin/bash
# variants: root unpriv
# A daemon that forks twice and writes its pid to a file; its starter asks it things by signals to that pid, before and after restarts.
. "$TESTS/lib.sh"
. "$TESTS/live/anytime.bash"
need perl
cat >daemon.pl <<'PERL'
use POSIX;
my $n = 0;
my $pid = fork // die;
exit 0 if $pid;
POSIX::setsid();
$pid = fork // die;
exit 0 if $pid;
open(STDIN, '<', '/dev/null');
open(my $answers, '>', 'answers.new');
$answers->autoflush(1);
my ($asked, $end) = (0, 0);
$SIG{USR1} = sub { $asked++ };
$SIG{TERM} = sub { $end = 1 };
open(my $file, '>', 'daemon.pid.new');
print $file "$$\n";
close $file;
rename 'answers.new', 'answers';
rename 'daemon.pid.new', 'daemon.pid';
until ($end) {
    select undef, undef, undef, 0.005;
    while ($n < $asked) { $n++; print $answers "answer $n\n"; }
}
unlink 'daemon.pid';
PERL
cat >starter.sh <<'SH'
perl $1
until [ -f daemon.pid ]; do sleep 0.01; done
read -r pid <daemon.pid
n=0
while [ $n -lt 30 ]; do
    n=$((n + 1))
    read -r now <daemon.pid
    [ "$now" = "$pid" ] || echo "the pid is another"
    kill -USR1 "$pid" || echo "the daemon is gone"
    until [ "$(wc -l <answers)" -ge $n ]; do sleep 0.01; done
    tail -n1 answers
done
kill "$pid"
while [ -f daemon.pid ]; do sleep 0.01; done
SH
anytime bash "$TEST_TMP/starter.sh" "$TEST_TMP/daemon.pl"
