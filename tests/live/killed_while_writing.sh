#!/bin/bash
# kill -9 of the program while its image is being written: the one before stays whole. If what writes the image lives on, it removes its
# temporary file; if that is killed as well, the next checkpoint leaves none.
# variants: root unpriv gzip raw
. "$TESTS/lib.sh"

start_coordinator
launch "$B/tests/live/stepper" 64
await_step 1 "it runs"
checkpoint
first=$(md5sum <"$(images)")
caught=0
for i in 1 2 3 4; do
    timeout 60 dmtcp_command -bc >command.out 2>command.err &
    COMMAND=$!
    await "a temporary file, or the end of the checkpoint" sh -c "ls images/*.temp >/dev/null 2>&1 || [ ! -d /proc/$COMMAND ]"
    if [ $((i % 2)) = 1 ]; then
        kill -9 "$(program_pid)"
        wait "$PROGRAM"
    else
        kill_program
    fi
    await "the answer of dmtcp_command" ended $COMMAND
    wait $COMMAND
    status=$?
    [ $((i % 2)) = 0 ] || await "no temporary file" sh -c '! ls images/*.temp >/dev/null 2>&1'
    if [ $status = 0 ]; then
        first=$(md5sum <"$(images)") # it was faster
    else
        caught=$((caught + 1))
        [ $status = 2 ] || fail "dmtcp_command -bc: exit code $status instead of 2"
        [ "$(md5sum <"$(images)")" = "$first" ] || fail "the old image was changed"
    fi
    restart
    await_running "restart $i"
done
echo "caught $caught of 4 while writing"
go 1
await_step 2 "it goes on"
checkpoint
finish
stop_coordinator
