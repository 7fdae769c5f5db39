#!/bin/bash
# tail -f and -F wait by inotify for a file that somebody outside appends to.
# variants: root unpriv
. "$TESTS/lib.sh"
need tail
has() { grep -qx "$1" program.out && grep -qx "$1" name.out; }
watches() { grep -qs '^inotify wd' /proc/"$(program_pid)"/fdinfo/*; }

echo first >log
start_coordinator
launch bash -c 'tail -F log >name.out & exec tail -f log'
await_program "the first line" has first
await_program "its watch" watches
for round in 1 2; do
    checkpoint
    echo "resumed $round" >>log
    await_program "the line after a checkpoint" has "resumed $round"
    checkpoint
    kill_program
    restart
    await_running restart
    echo "restarted $round" >>log
    await_program "the line after a restart" grep -qx "restarted $round" name.out
    await_program "the line after a restart" grep -qx "restarted $round" program.out
done
[ "$(cat name.out)" = "$(cat log)" ] || fail "tail -F has written: $(cat name.out)"
kill_program
stop_coordinator
