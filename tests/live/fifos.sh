#!/bin/bash
# variants: root unpriv
# The second time one of them is missing.
. "$TESTS/lib.sh"
plain 2 "$B/tests/live/fifos"
start_coordinator
launch "$B/tests/live/fifos"
generations 1
kill_program
rm "$STEP_DIR/ready" between
restart
await_step 2 "without its FIFO"
finish
same program.out
stop_coordinator
