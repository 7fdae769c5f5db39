#!/bin/bash
# Neither checkpoints nor restarts leave anything behind in the process: mappings, memory, descriptors, threads.
# variants: root unpriv raw
# limit: 120
. "$TESTS/lib.sh"
export DMTCP_FSYNC=0

# Mappings, VmSize in kB (stacks and heap do not grow in a waiting program), descriptors, threads.
state() {
    local pid
    pid=$(program_pid)
    echo "mappings $(wc -l </proc/$pid/maps)"
    grep '^VmSize' /proc/$pid/status
    echo "descriptors $(ls /proc/$pid/fd | wc -l)"
    echo "threads $(ls /proc/$pid/task | wc -l)"
}

# The coordinator has counted the process in before its last restart step is done; a checkpoint waits for that.
restarted() {
    kill_program
    restart
    await_running "$1"
    checkpoint
}

start_coordinator
launch "$B/tests/live/stepper" 1
await_step 1 "it runs"
checkpoint
checkpoint
state >before
for ((i = 0; i < 50; i++)); do checkpoint; done
state >after
cmp before after || fail "grown by 50 checkpoints: $(diff before after | tr '\n' ' ')"
restarted "restart 1"
restarted "restart 2"
state >before
for ((i = 3; i <= 12; i++)); do restarted "restart $i"; done
state >after
cmp before after || fail "grown by 10 restarts: $(diff before after | tr '\n' ' ')"
go 1
await_step 2 "it goes on"
finish
stop_coordinator
