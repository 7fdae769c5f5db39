#!/bin/bash
# The coordinator may die: the program runs on, finds the next one at the same address, and can be checkpointed again.
# variants: root unpriv
. "$TESTS/lib.sh"

start_coordinator
launch "$B/tests/live/stepper" 1
step=1
await_step 1 "it runs"
for i in 1 2; do
    kill -9 $COORDINATOR
    wait $COORDINATOR
    go $step
    step=$((step + 1))
    await_step $step "it runs without a coordinator"
    command_done -bc && fail "a checkpoint without a coordinator succeeded"
    start_coordinator
    await_running "the new coordinator"
    checkpoint
    go $step
    step=$((step + 1))
    await_step $step "it runs with the new coordinator"
done
kill_program
rm "$STEP_DIR/ready"
restart
await_step $step "it was restarted"
finish
stop_coordinator
