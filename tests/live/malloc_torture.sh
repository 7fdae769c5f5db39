#!/bin/bash
# variants: unpriv raw
# limit: 300
. "$TESTS/lib.sh"
export DMTCP_FSYNC=0
start_coordinator
launch "$B/tests/live/malloc_torture"
await_step 1 "all threads have worked"
for ((i = 1; i <= 100; i++)); do
    checkpoint
    if [ $((i % 10)) = 0 ]; then
        go $((i / 10))
        await_step $((i / 10 + 1)) "all threads go on after checkpoint $i"
    fi
done
kill_program
restart
await_running
go 11
await_step 12 "all threads go on after the restart"
finish
[ "$(cat program.out)" = "nobody hung" ] || fail "the program's output is wrong: $(cat program.out)"
stop_coordinator
