#!/bin/bash
# A TCP connection can't be restored: said before anything is changed, and the program runs on with it.
# variants: root unpriv
. "$TESTS/lib.sh"
start_coordinator
launch "$B/tests/live/inet_listener" connect
await_step 1 "its state is built"
for round in 1 2; do
    command_done -bc && fail "a checkpoint was made with a TCP connection"
    grep -q "(inet_listener.*): descriptor [0-9]* (socket:.*) is a TCP connection, .*close it" command.err || fail "it said: $(cat command.err)"
    go $round
    await_step $((round + 1)) "it runs on"
done
finish
stop_coordinator
