#!/bin/bash
# A file that somebody else has locked meanwhile: the restart is refused, and names both.
# variants: root unpriv
. "$TESTS/lib.sh"
need perl

start_coordinator
launch "$B/tests/live/file_locks"
await_step 1 "its state is built"
checkpoint
kill_program
perl -e 'use Fcntl ":flock"; open F, "+<", "exclusive"; flock F, LOCK_EX; open R, ">", "locked"; close R; sleep 1 until -e "unlock"' &
locker=$!
await "the lock" test -e locked
rm step/ready
restart
await "the end of the refused restart" ended "$PROGRAM"
wait "$PROGRAM"
status=$?
kill $locker
wait $locker
[ $status != 0 ] && grep -q "/exclusive (descriptor .*is locked by process $locker (perl)" restart.err || fail "status $status; it said: $(cat program.err restart.err)"
restart
go 1
await_step 2 "restarted when the file is free"
finish
stop_coordinator
