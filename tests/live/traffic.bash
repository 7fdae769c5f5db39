# For tests of programs that are busy all the time: they say step 1 when they have begun, check themselves all the while, and stop when $STEP_DIR/end
# is there. Sourced after lib.sh.

# traffic COMMAND...: eight checkpoints, after every third the program is killed and restarted.
traffic() {
    local i
    start_coordinator
    launch "$@"
    await_step 1 "it is busy"
    go 1
    for ((i = 1; i <= 8; i++)); do
        checkpoint
        [ $((i % 3)) != 2 ] || {
            kill_program
            restart
            await_running restart
        }
    done
    finish
    [ "$(tail -n1 program.out)" = "all answers were right" ] || fail "it said: $(tail -n3 program.out) $(tail -n3 program.err)"
    stop_coordinator
}
