# Checkpoints at arbitrary moments: a program that knows nothing of it runs, is checkpointed and killed wherever it happens to stand, restarted,
# and so on; what it wrote and its exit status must be those of an undisturbed run. The moments are a random amount of output and a
# random while after it; SEED, which a failure shows, brings the amounts back.
#
# The test may define prepare (makes the files that the program needs in an empty current directory) and verify (prints what else is to be
# compared, there, at the end). Output must be the same in each run: no pids, no times.

CYCLES=${CYCLES:-2}
SEED=${SEED:-$RANDOM}

prepare() { :; }
verify() { :; }

undisturbed() {
    mkdir -p "$PLAIN_DIR"
    (cd "$PLAIN_DIR" && prepare && exec timeout 120 "$@" </dev/null >"$PLAIN_DIR/program.out" 2>"$TEST_TMP/plain.err")
    STATUS=$?
    (cd "$PLAIN_DIR" && verify) >"$TEST_TMP/plain.verified" 2>&1
    [ -s "$PLAIN_DIR/program.out" ] || fail "the undisturbed run (status $STATUS) writes nothing: $(tail -n1 "$TEST_TMP/plain.err")"
}

has_written() { [ "$(stat -c %s "$TEST_TMP/program.out")" -ge "$1" ]; }

# It may have been about to end: then it may be over before it is seen to run.
restart_set() {
    restart
    await_program "RUNNING=yes or the end" restarted
    rm -f "$IMAGES"/*
}
restarted() { says RUNNING=yes || { ended $PROGRAM && grep -q "Worker resumed" "$TEST_TMP/coordinator.log"; }; }

running_or_over() { says RUNNING=yes || says NUM_PEERS=0; }

# anytime COMMAND...
anytime() {
    local total cycle target status
    RANDOM=$SEED
    echo "SEED=$SEED"
    undisturbed "$@"
    total=$(stat -c %s "$PLAIN_DIR/program.out")
    start_coordinator
    mkdir "$TEST_TMP/work"
    cd "$TEST_TMP/work" || exit
    prepare
    launch "$@"
    for ((cycle = 0; cycle < CYCLES; cycle++)); do
        # in the first two thirds, so that it is rarely over before the command has come through
        target=$((total * 2 * cycle / (3 * CYCLES) + RANDOM * (total * 2 / (3 * CYCLES)) / 32768))
        await_program "$target bytes of output" has_written $target
        sleep 0.0$((RANDOM % 4))$((RANDOM % 10))
        await "RUNNING=yes from the coordinator (cycle $cycle)" running_or_over
        command_done -kc || { [ $cycle -gt 0 ] && says NUM_PEERS=0 && break; } || fail "dmtcp_command -kc at $target of $total bytes: exit code $?: $(tail -n1 "$TEST_TMP/command.err")"
        await "the end of what was killed" ended $PROGRAM
        wait $PROGRAM
        status=$?
        [ $status = 137 ] || fail "killed by signal 9, but status $status was reported"
        restart_set
    done
    await "the program's end" ended $PROGRAM
    wait $PROGRAM
    status=$?
    cmp "$PLAIN_DIR/program.out" "$TEST_TMP/program.out" || {
        diff "$PLAIN_DIR/program.out" "$TEST_TMP/program.out" | head -n 20
        fail "the output differs from that of an undisturbed run (status $status)"
    }
    [ $status = $STATUS ] || fail "status $status, not $STATUS; it said: $(cat "$TEST_TMP"/{program,restart}.err | tail -n1)"
    verify >"$TEST_TMP/verified" 2>&1
    diff "$TEST_TMP/plain.verified" "$TEST_TMP/verified" || fail "the files differ from those of an undisturbed run"
    await "the end of all its processes" says NUM_PEERS=0
    cd "$TEST_TMP" || exit
    stop_coordinator
}
