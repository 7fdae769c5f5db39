#!/bin/bash
# variants: root unpriv
# limit: 200
# Known streams both ways through TCP connections, from full buffers on (of 4 MB too), with twelve checkpoints and three restarts under traffic: not one
# byte is lost, doubled or moved.
. "$TESTS/lib.sh"
export DMTCP_GZIP=0
start_coordinator
launch "$B/tests/live/tcp_streams"
await_step 1 "all buffers are full"
for ((i = 1; i <= 12; i++)); do
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
