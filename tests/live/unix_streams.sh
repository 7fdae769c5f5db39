#!/bin/bash
# variants: root unpriv
# limit: 120
# Known streams both ways through unix sockets of each type, from full buffers on, with ten checkpoints and two restarts under traffic: not one
# byte is lost, doubled or moved.
. "$TESTS/lib.sh"
export DMTCP_GZIP=0
start_coordinator
launch "$B/tests/live/unix_streams"
await_step 1 "all buffers are full"
for ((i = 1; i <= 10; i++)); do
    checkpoint
    if [ $((i % 5)) = 1 ]; then
        kill_program
        restart
        await_running restart
    fi
    go 1
done
finish
stop_coordinator
