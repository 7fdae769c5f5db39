#!/bin/bash
# A process without libc's exit ends all the same, checkpointed or not: our own thread does not keep it alive.
# variants: root unpriv
. "$TESTS/lib.sh"

ends_with() {
    await "the program's end" ended "$PROGRAM"
    wait "$PROGRAM"
    local status=$?
    [ $status = "$1" ] || fail "the program ended with status $status instead of $1"
}

start_coordinator
launch "$B/tests/live/threads_end_singly" 7 0
ends_with 7
launch "$B/tests/live/threads_end_singly" 8 1
await_step 1 "its leader has ended"
checkpoint
go 1
await_step 2 "the other thread goes on"
: >"$STEP_DIR/end"
ends_with 8
rm "$STEP_DIR/end" "$STEP_DIR/ready"
restart
await_step 2 "the other thread goes on after a restart"
: >"$STEP_DIR/end"
await "the program's end" ended "$PROGRAM"
stop_coordinator
