#!/bin/bash
# variants: root unpriv
# What is stopped (by ^Z, SIGSTOP) takes part in a checkpoint, is stopped afterwards and after a restart, and goes on when it is continued.
. "$TESTS/lib.sh"
survive "$B/tests/live/tree_stopped"

# A process that is alone, and a checkpoint that is refused.
rm -rf "$STEP_DIR" "$IMAGES" && mkdir "$STEP_DIR" "$IMAGES"
state() { sed 's/.*) //; s/ .*//' /proc/"$1"/stat 2>/dev/null; }
is() { [ "$(state "$1")" = "$2" ]; }
start_coordinator
launch "$B/tests/live/ends_as_told"
await_step 1 "it runs"
kill -STOP "$PROGRAM"
await "its stop" is "$PROGRAM" T
checkpoint
await "its stop after the checkpoint" is "$PROGRAM" T
checkpoint
await "its stop after the second checkpoint" is "$PROGRAM" T
command_done -k
wait "$PROGRAM"
rm "$STEP_DIR/ready"
restart
program_is() { program=$(program_pid) && [ "$program" ] && is "$program" "$1"; }
await_program "its stop after the restart" program_is T
[ ! -e "$STEP_DIR/go.1" ] || fail "it has run"
echo 'exit 6' >"$STEP_DIR/how"
go 1
kill -CONT "$program"
await "its end" ended "$PROGRAM"
wait "$PROGRAM"
status=$?
[ $status = 6 ] || fail "status $status instead of 6: $(cat restart.err)"
stop_coordinator
