#!/bin/bash
# variants: root unpriv
# What a restart could not bring back (timers of timer_create, so far) is said on the program's standard error, and in a file that was not
# opened for appending, too, neither writes over the other.
. "$TESTS/lib.sh"

start_coordinator
launch "$B/tests/live/timers_lost_said"
await_step 1 "it runs"
checkpoint
kill_program
rm "$STEP_DIR/ready"
restart
await_running restart
go 1
await_step 2 "it goes on"
finish
cat >expected <<'END'
the program has come to step 0
dmtcp timers: timers made by timer_create can't be restored yet; the program has lost 1
the program has come to step 1
END
cmp expected program.err || fail "standard error: $(cat program.err)"
stop_coordinator
