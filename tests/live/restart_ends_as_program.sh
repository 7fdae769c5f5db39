#!/bin/bash
# variants: root unpriv
# dmtcp_restart ends as the program ends, hands on signals sent to it, and stops as it stops.
. "$TESTS/lib.sh"
start_coordinator
launch "$B/tests/live/ends_as_told"
await_step 1 "it runs"
echo handle >"$STEP_DIR/how" && go 1
await_step 2 "it handles signals"
checkpoint
kill_program

# ends HOW STATUS
ends() {
    rm -f "$STEP_DIR"/ready "$STEP_DIR"/go.2
    restart
    echo "$1" >"$STEP_DIR/how"
    go 2
    await "the program's end ($1)" ended "$PROGRAM"
    wait "$PROGRAM"
    local status=$?
    [ $status = "$2" ] || fail "$1: status $status instead of $2; it said: $(cat restart.err)"
}
ends 'exit 0' 0
ends 'exit 7' 7
ends 'exit 99' 99
ends 'signal 6' 134
ends 'signal 11' 139
ends 'signal 9' 137
[ ! -e core ] || fail "a core file of dmtcp_restart"

# Signals to dmtcp_restart alone.
counted() { [ "$(cat counted 2>/dev/null)" = "$1" ]; }
step=2
count() { # EXPECTED
    rm -f counted
    echo count >"$STEP_DIR/how"
    go $step
    step=$((step + 1))
    await_step $step "counted"
    counted "$1" || fail "signals counted: $(cat counted), not $1"
}
rm -f "$STEP_DIR"/ready "$STEP_DIR"/go.2
restart
count 'INT 0 USR1 0 TERM 0'
for signal in INT USR1 TERM; do
    kill -$signal "$PROGRAM"
done
# Handed on by another process, at its time: count until all have come.
until counted 'INT 1 USR1 1 TERM 1'; do
    kill -0 "$PROGRAM" || fail "dmtcp_restart ended by a signal that the program handles"
    rm -f counted
    echo count >"$STEP_DIR/how"
    go $step
    step=$((step + 1))
    await_step $step "counted"
done
state() { sed 's/.*) //; s/ .*//' /proc/"$1"/stat; }
is() { [ "$(state "$1")" = "$2" ]; }
finish

# A job of its own, in which SIGTSTP has an effect.
set -m
rm -f "$STEP_DIR"/* && echo stop >"$STEP_DIR/how"
restart
go 2
program_is() { program=$(program_pid) && [ "$program" ] && is "$program" "$1"; }
await_program "the program's stop" program_is T
await "dmtcp_restart's stop" is "$PROGRAM" T
kill -CONT "$PROGRAM"
await_step 3 "it goes on"
is "$program" T && fail "the program still stands"
is "$PROGRAM" T && fail "dmtcp_restart still stands"
kill -TERM "$PROGRAM"
set +m
finish
stop_coordinator
