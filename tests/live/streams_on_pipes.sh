#!/bin/bash
# In a pipeline, before and after: the restarted program is on the pipes of dmtcp_restart.
# variants: root unpriv
. "$TESTS/lib.sh"

start_coordinator
mkfifo in out
cat out >>collected.out &
READER=$!
exec 5<>in 6>out
dmtcp_launch --join "$B/tests/live/standard_streams" any <in >out 2>program.err 5>&- 6>&- &
PROGRAM=$!
await_step 1 "it runs"
checkpoint
echo before >&5
go 1
await_step 2 "a line was copied"
kill_program
rm in
mkfifo in
exec 5<>in
rm "$STEP_DIR/ready" "$STEP_DIR"/go.*
# The writing end that the shell holds keeps `cat out` alive in between.
dmtcp_restart $(images) <in >out 2>restart.err 5>&- 6>&- &
PROGRAM=$!
await_running
echo after >&5
go 1
await_step 2 "a line was copied after the restart"
echo last >&5
finish
exec 5>&- 6>&-
wait $READER
printf 'out %s\n' before after last | cmp - collected.out || fail "the pipe carried: $(tr '\n' '|' <collected.out)"
stop_coordinator
