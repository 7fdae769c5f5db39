#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"

nothing_left() {
    local left
    left=$(find "$TEST_TMP" -name 'descriptors-*')
    [ ! "$left" ] || fail "left behind: $left"
}

start_coordinator
launch "$B/tests/live/shared_refused"
await_step 1 "its state is built"
for round in 1 2; do
    command_done -bc && fail "a checkpoint of a userfaultfd was made"
    grep -q userfaultfd command.err || fail "the reason does not name it: $(cat command.err)"
    nothing_left
    go $round
    await_step $((round + 1)) "it runs on"
done
checkpoint
nothing_left
finish
grep -qx "at 3" program.out || fail "it said: $(cat program.out)"
stop_coordinator
