#!/bin/bash
# The file that the program's output went to is gone, as a batch system's is when the job has ended: the output goes on where dmtcp_restart's goes,
# and a line says so. A file that was its input, or that it opened itself, is missed: then the restart fails, and dmtcp_restart says why.
# variants: root unpriv
. "$TESTS/lib.sh"

start_coordinator
mkdir spool
for i in {1..9}; do echo $i; done >numbers
dmtcp_launch --join "$B/tests/live/standard_streams" <numbers >spool/out 2>program.err &
PROGRAM=$!
await_step 1 "it runs"
checkpoint
kill_program
mv spool gone
restart
await_running "the restart without the output file"
grep -q "$PWD/spool/out.*where dmtcp_restart's goes" restart.err || fail "not told where the output goes: $(cat restart.err)"
go 1
await_step 2 "a line was copied after the restart"
kill_program
[ "$(cat restart.out)" = "out 1" ] || fail "dmtcp_restart's output got: $(cat restart.out)"
mv gone spool
mv numbers elsewhere
rm -f "$STEP_DIR"/ready "$STEP_DIR"/go.* restart.err
restart
await "the failed restart's end" ended "$PROGRAM"
wait "$PROGRAM"
status=$?
[ $status = 101 ] || fail "a restart without its input ended with $status"
grep -q "the restart failed: .*$PWD/numbers (descriptor 0) can't be opened: No such file" restart.err ||
    fail "dmtcp_restart does not say why: $(cat restart.err)"
mv elsewhere numbers
restart
await_running "the restart with all files back"
go 1
await_step 2 "a line was copied after that"
kill_program
stop_coordinator
