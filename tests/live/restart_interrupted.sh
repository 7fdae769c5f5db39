#!/bin/bash
# variants: root unpriv
# A restart that is interrupted, or loses a process or its coordinator halfway, leaves no process; the images can be restarted afterwards.
. "$TESTS/lib.sh"
start_coordinator
launch "$B/tests/live/ends_as_told"
await_step 1 "it runs"
checkpoint
kill_program
rm "$STEP_DIR/ready"

# begin: a restart that stands still between the coordinator's leave and the rebuilding of memory.
loading() {
    child=$(pids_below "$PROGRAM" | head -n1)
    [[ $child && $(readlink "/proc/$child/exe") == *dmtcp_loader* ]]
}
begin() {
    rm -f restart.err
    restart --debug-restart-pause 3600
    await_program "the loader" loading
}
# over STATUS PATTERN: it has failed, with at most one line.
over() {
    local status
    await "the end of dmtcp_restart" ended "$PROGRAM"
    wait "$PROGRAM"
    status=$?
    [ $status = "$1" ] || fail "status $status instead of $1; said: $(cat restart.err)"
    [ "$(cat restart.err)" = "" ] || [ "$(wc -l <restart.err)" = 1 ] || fail "more than one line: $(cat restart.err)"
    grep -Eq "$2" restart.err || [ ! "$2" ] || fail "said: $(cat restart.err)"
    ended "$child" || fail "the process is left"
    [ ! -e "$STEP_DIR/ready" ] || fail "the program ran"
}

begin
kill -INT "$PROGRAM"
over 130 ''
begin
kill -TERM "$PROGRAM"
over 143 ''
begin
kill -9 "$child"
over 101 'the restart failed: the process of .*\.dmtcp was killed by signal 9'
begin
kill -9 "$COORDINATOR"
over 101 'the restart failed: the coordinator has ended'
wait "$COORDINATOR"

# Whole as ever; and what the image remembers of its coordinator does not matter.
start_coordinator
restart
echo 'exit 4' >"$STEP_DIR/how"
go 1
await "the program's end" ended "$PROGRAM"
wait "$PROGRAM"
status=$?
[ $status = 4 ] || fail "status $status; said: $(cat restart.err)"
stop_coordinator
