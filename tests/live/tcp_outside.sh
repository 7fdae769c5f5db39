#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"
"$B/tests/live/tcp_outside" outside 2>outside.err &
OUTSIDE=$!
trap 'status=$?; kill $OUTSIDE 2>/dev/null; (exit $status); cleanup' EXIT
await "the server outside" test -e server.port
start_coordinator
launch "$B/tests/live/tcp_outside"
for step in 1 2 3 4; do
    await_step $step "it runs"
    checkpoint
    if [ $step = 2 ] || [ $step = 4 ]; then
        kill_program
        : >restarted
        rm "$STEP_DIR/ready"
        restart
    fi
    go $step
done
await_step 5 "it runs on"
finish
[ "$(tail -n1 program.out)" = "outside left alone" ] || fail "it said: $(cat program.out program.err)"
ended $OUTSIDE && fail "the server outside ended: $(cat outside.err)"
stop_coordinator
