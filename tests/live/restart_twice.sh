#!/bin/bash
# One image, several restarts; and none while the original runs.
# variants: root unpriv
. "$TESTS/lib.sh"

start_coordinator
launch "$B/tests/live/stepper" 1
await_step 1 "it runs"
checkpoint
timeout 60 dmtcp_restart $(images) >restart.out 2>restart.err && fail "a second copy was restarted while the first runs"
[ -s restart.err ] || fail "refused without a reason"
go 1
await_step 2 "the original runs on"
for i in 1 2 3; do
    kill_program
    rm "$STEP_DIR/ready"
    restart
    await_step 2 "restart $i goes on"
done
finish
printf 'step 1\nstep 2\n' | cmp - program.out || fail "the output is wrong: $(tr '\n' '|' <program.out)"

# And with a coordinator of another day, at another port.
stop_coordinator
PORT=0
start_coordinator
rm -f "$STEP_DIR"/*
restart
await_running "another coordinator"
go 1
await_step 2 "it goes on under another coordinator"
finish
stop_coordinator
