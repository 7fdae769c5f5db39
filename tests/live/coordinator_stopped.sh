#!/bin/bash
# variants: root unpriv
# A coordinator that is stopped in the middle of a checkpoint, or hangs, does not hold the program: it gives up and runs on, and is found
# again when the coordinator goes on.
. "$TESTS/lib.sh"
. "$TESTS/live/coordinator.bash"

coordinator --deadline 2
launch "$B/tests/live/stepper" 1
await_step 1 "it runs"
worker hangs --at ELECT=hang
said hangs 'joined 1'
dmtcp_command -bc >command.out 2>command.err &
COMMAND=$!
in_elect() { dmtcp_command -l | grep -q 'hangs.* ELECT$'; }
await "the phase ELECT" in_elect
kill -STOP $COORDINATOR
go 1
await_step 2 "it runs on though the coordinator is stopped"
grep -q 'coordinator does not answer' program.err || fail "it says: $(cat program.err)"

kill "${WORKER[hangs]}"
kill -CONT $COORDINATOR
await "the answer of dmtcp_command" ended $COMMAND
wait $COMMAND
[ $? = 2 ] || fail "the checkpoint succeeded"
await_running "the coordinator that goes on"
checkpoint
go 2
await_step 3 "it runs on"
kill_program
rm "$STEP_DIR/ready"
restart
await_running restart
go 3
await_step 4 "it goes on after the restart"
finish
quit
