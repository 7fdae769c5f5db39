#!/bin/bash
# A program that ends just as a checkpoint starts: it ends well, the command answers, nothing is left.
# variants: root unpriv
. "$TESTS/lib.sh"

start_coordinator
for i in 1 2 3 4 5 6 7 8; do
    rm -f "$STEP_DIR"/*
    launch "$B/tests/live/stepper" 1
    await_step 1 "it runs"
    timeout 60 dmtcp_command -bc >command.out 2>command.err &
    COMMAND=$!
    [ $((i % 2)) = 0 ] || await "the start of the checkpoint" grep -q "starting checkpoint" coordinator.log coordinator.out
    finish
    await "the answer of dmtcp_command" ended $COMMAND
    wait $COMMAND
    status=$?
    case $status in
    0 | 2) ;;
    *) fail "dmtcp_command -bc: exit code $status" ;;
    esac
    [ $status = 0 ] || [ -s command.err ] || fail "dmtcp_command failed without a reason"
    await "no temporary file" sh -c '! ls images/*.temp >/dev/null 2>&1'
    await "NUM_PEERS=0" says NUM_PEERS=0
    rm -f images/*
done
stop_coordinator
