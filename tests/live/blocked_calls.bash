# blocked_calls CHECKPOINTS RESTARTS WITHOUT...: the driver of the blocked_calls tests.

timeouts() { cut -d' ' -f1 "$STEP_DIR/timeouts" 2>/dev/null || echo 0; }

remove_ipc() {
    local ids
    for ids in "$TEST_TMP/ipc" "$PLAIN_DIR/ipc"; do
        [ ! -f "$ids" ] || xargs -r ipcrm <"$ids" 2>/dev/null
    done
}

# At least `least` checkpoints, and on until every thread has had two more timeouts.
many_checkpoints() {
    local least=$1 most=$(($1 + 100)) count=0 wanted=$(($(timeouts) + 2))
    while [ $count -lt "$least" ] || [ "$(timeouts)" -lt $wanted ]; do
        ended "$PROGRAM" && { await_step never "checkpoint $count"; }
        [ $count -lt $most ] || fail "$count checkpoints, and still no two more timeouts of: $(cat "$STEP_DIR/timeouts")"
        checkpoint
        count=$((count + 1))
    done
}

blocked_calls() {
    local checkpoints=$1 restarts=$2 step=1
    shift 2
    trap 'status=$?; remove_ipc; (exit $status); cleanup' EXIT
    export DMTCP_FSYNC=0
    start_coordinator
    launch "$B/tests/live/blocked_calls" "$@"
    await_step 1 "all threads are blocked"
    many_checkpoints "$checkpoints"
    for ((i = 0; i <= restarts; i++)); do
        go $step
        await_step $((step + 1)) "all threads were let go"
        if [ $i -lt "$restarts" ]; then
            checkpoint
            kill_program
            restart
            await_running "restart $((i + 1))"
            many_checkpoints 3
        fi
        step=$((step + 1))
    done
    finish
    [ "$(cat program.out)" = "500 threads saw nothing" ] || fail "the program's output is wrong: $(cat program.out)"
    stop_coordinator
}
