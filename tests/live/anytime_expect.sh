#!/bin/bash
# variants: root unpriv
# expect talks to a shell on a pseudo terminal of its own, and script(1) writes down another one, checkpointed anywhere.
. "$TESTS/lib.sh"
. "$TESTS/live/anytime.bash"
need expect script
cat >talk.exp <<'EXPECT'
log_user 0
set timeout 60
spawn sh
expect -re {[$#] $}
send "PS1='ready> '; stty -echo\r"
expect "\nready> "
for {set i 1} {$i <= 30} {incr i} {
    send "expr $i + 1000\r"
    expect -re {([0-9]+)\r\n} { puts "answer $expect_out(1,string)"; flush stdout }
    expect "ready> "
}
send "exit 3\r"
expect eof
puts "status [lindex [wait] 3]"
EXPECT
anytime sh -c 'expect "$0"; script -q -e -c "tty >/dev/null && for i in 1 2 3 4 5 6 7 8; do echo line \$i; sleep 0.02; done; exit 4" /dev/null; echo "status $?"' "$TEST_TMP/talk.exp"
