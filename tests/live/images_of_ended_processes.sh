#!/bin/bash
# variants: root unpriv
# A process that ends between two checkpoints leaves no image behind once the next set has replaced the one before, and all images there are
# restart. Numbers of checkpoints go on when the only process of a computation becomes another program.
. "$TESTS/lib.sh"

export TEST_TMP
has_exec() {
    local name
    first_line name "/proc/$(program_pid)/comm"
    [ "$name" = sleep ]
}
start_coordinator
launch bash -c 'echo 1 >"$STEP_DIR/ready"; sleep 1000 & while [ ! -e "$STEP_DIR/go.1" ]; do read -rt 0.02 <>"$TEST_TMP/.pause"; done; kill $!; wait; echo 2 >"$STEP_DIR/ready"
    while [ ! -e "$STEP_DIR/go.2" ]; do read -rt 0.02 <>"$TEST_TMP/.pause"; done; exec sleep 1000'

await_step 1 "its child runs"
await "both processes" says NUM_PEERS=2
checkpoint
[ "$(images | wc -l)" = 2 ] || fail "two processes, but these images: $(images)"
go 1
await_step 2 "its child has ended"
checkpoint
[ "$(images | wc -l)" = 1 ] || fail "one process, but these images: $(images)"
kill_program
restart
await_running restart
go 2
await "another program" has_exec
await_running exec
checkpoint
grep -q 'Checkpoint complete.*generation 3,' coordinator.log || fail "the third checkpoint has another number: $(tail -n1 coordinator.log)"
stop_coordinator
