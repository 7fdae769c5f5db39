#!/bin/bash
# variants: root
# limit: 200
# Known streams both ways through TCP connections, from full buffers on (of 4 MB too), with checkpoints and restarts under traffic: not one byte is lost,
# doubled or moved. LONG_CKPTS=20 makes it a long one. Not unprivileged: there full buffers of the largest size that the user may set do not always fit again.
. "$TESTS/lib.sh"
export DMTCP_GZIP=0
start_coordinator
launch "$B/tests/live/tcp_streams"
await_step 1 "all buffers are full"
for ((i = 1; i <= ${LONG_CKPTS:-4}; i++)); do
    checkpoint
    if [ $((i % 7)) = 1 ]; then
        kill_program
        restart
        await_running restart
    fi
    go 1
done
finish
stop_coordinator
