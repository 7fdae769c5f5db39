#!/bin/bash
# Checkpoints by themselves, until told to stop.
# variants: root unpriv
. "$TESTS/lib.sh"

taken() { cat coordinator.log coordinator.out | grep -c 'Checkpoint complete; all workers running'; }
taken_at_least() { [ "$(taken)" -ge "$1" ]; }

start_coordinator -i 1
launch "$B/tests/live/stepper" 1
await_step 1 "it runs"
says CKPT_INTERVAL=1 || fail "the interval is not shown: $(dmtcp_command -s)"
await "two checkpoints by themselves" taken_at_least 2
command_done -i 0 || fail "dmtcp_command -i 0: $?"
dmtcp_command -s | grep -q 'CKPT_INTERVAL=0' || fail "the interval is still $(dmtcp_command -s | grep INTERVAL)"
# One that had begun ends; a checkpoint by command is then the next.
checkpoint
kill_program
restart
await_running
finish
stop_coordinator
