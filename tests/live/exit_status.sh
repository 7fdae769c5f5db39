#!/bin/bash
# dmtcp_launch and dmtcp_restart end as the program ends.
# variants: root unpriv
. "$TESTS/lib.sh"

expect() { # STATUS WHAT COMMAND...
    local want=$1 what=$2 got
    shift 2
    "$@" >>program.out 2>>program.err
    got=$?
    [ $got = "$want" ] || fail "$what: status $got instead of $want"
}

start_coordinator
expect 0 "true" dmtcp_launch --join true
expect 7 "exit 7" dmtcp_launch --join sh -c 'exit 7'
expect 143 "killed by SIGTERM" dmtcp_launch --join sh -c 'kill -TERM $$'
expect 137 "killed by SIGKILL" dmtcp_launch --join sh -c 'kill -KILL $$'
expect 134 "abort" dmtcp_launch --join sh -c 'ulimit -c 0; kill -ABRT $$'

launch "$B/tests/live/stepper" 0 9
await_step 1 "it runs"
checkpoint
kill_program
for i in 1 2; do
    rm -f "$STEP_DIR"/end "$STEP_DIR"/go.*
    restart
    await_running "restart $i"
    : >"$STEP_DIR/end"
    await "the program's end" ended "$PROGRAM"
    wait "$PROGRAM"
    status=$?
    [ $status = 9 ] || fail "restarted, exit 9: status $status"
done

rm "$STEP_DIR/end"
for signal in TERM SEGV HUP; do # not INT: the shell has it ignored in the background
    restart
    await_running "restart"
    kill -$signal "$(program_pid)"
    await "the program's end by SIG$signal" ended "$PROGRAM"
    wait "$PROGRAM"
    status=$?
    [ $status = $((128 + $(kill -l $signal))) ] || fail "restarted, killed by SIG$signal: status $status"
done
stop_coordinator
