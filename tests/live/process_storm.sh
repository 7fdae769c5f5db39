#!/bin/bash
# variants: root unpriv
# limit: 300
# Makers that make and end processes all the time, through checkpoints; sets taken on the way are restarted, each of them: every child that a maker knows of
# comes back with its status, none hangs, none is left. LONG_CKPTS, LONG_MAKERS and LONG_ALIVE make it a long one: 50 8 25.
. "$TESTS/lib.sh"
export DMTCP_FSYNC=0
CKPTS=${LONG_CKPTS:-2} MAKERS=${LONG_MAKERS:-2} ALIVE=${LONG_ALIVE:-4}

all_count() {
    local maker
    for ((maker = 0; maker < MAKERS; maker++)); do
        [ -d "$STEP_DIR/count.$maker" ] || return 1
    done
}
# Every maker has gone on by itself.
runs_on() {
    rmdir "$STEP_DIR"/count.* 2>/dev/null
    await_program "children of all makers ($1)" all_count
}

start_coordinator
launch "$B/tests/live/process_storm" "$MAKERS" "$ALIVE"
runs_on launch
for ((i = 1; i <= CKPTS; i++)); do
    checkpoint
    mkdir "set.$i"
    mv "$IMAGES"/ckpt_* "set.$i"
    runs_on "checkpoint $i"
done
for ((i = 1; i <= CKPTS; i++)); do
    command_done -k || fail "dmtcp_command -k: $(cat command.err)"
    await "the program's end" ended $PROGRAM
    wait $PROGRAM
    await "the end of all its processes" says NUM_PEERS=0
    mv "set.$i"/* "$IMAGES"
    restart
    runs_on "restart of set $i"
    checkpoint
    runs_on "checkpoint after restart $i"
    rm -f "$IMAGES"/ckpt_*
done
finish
grep -q "all came back" program.out || fail "it did not say that all came back"
await "the end of all its processes" says NUM_PEERS=0
stop_coordinator
