#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"
"$B/tests/live/unix_outside" daemon daemon 2>daemon.err &
DAEMON=$!
trap 'status=$?; kill $DAEMON 2>/dev/null; (exit $status); cleanup' EXIT
await "the daemon" test -e daemon.ready
start_coordinator
launch "$B/tests/live/unix_outside" "$TEST_TMP"
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
[ "$(grep -cx 'log line' daemon.log)" = 5 ] || fail "$(grep -c . daemon.log) lines reached the daemon"
stop_coordinator
kill $DAEMON
wait $DAEMON
:
