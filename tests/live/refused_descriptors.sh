#!/bin/bash
# Before anything is changed, with one line that names process, object and way out; the program runs on.
# variants: root unpriv
. "$TESTS/lib.sh"
start_coordinator
launch "$B/tests/live/refused_descriptors"
for ((round = 1; ; round++)); do
    await_step $round "something is held"
    [ -e name ] || break
    command_done -bc && fail "a checkpoint was made with $(cat name)"
    grep -q "(refused_descrip.*): descriptor [0-9]* (.*$(cat name).*close it" command.err || fail "$(cat name): $(cat command.err)"
    [ "$(wc -l <command.err)" = 1 ] || fail "more than a line: $(cat command.err)"
    go $round
done
[ $round -gt 2 ] || skip "nothing of it is to be had here"
checkpoint
finish
grep -qx "ran on" program.out || fail "it said: $(cat program.out)"
stop_coordinator
