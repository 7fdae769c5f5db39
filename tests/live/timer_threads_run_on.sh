#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"
start_coordinator
launch "$B/tests/live/timers_run_on" thread
for step in 1 2 3 4 5; do
    await_step $step "the timers run"
    checkpoint
    checkpoint
    go $step
done
await_step 6 "the timers run"
finish
[ "$(cat program.out)" = "timers ran on" ] || fail "the program's output is wrong: $(cat program.out)"
stop_coordinator
