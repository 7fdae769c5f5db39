#!/bin/bash
# A program that ends before the set's size is final leaves it; later its end fails the checkpoint, and all others run on; from COMMIT on
# the set is good.
. "$TESTS/lib.sh"
. "$TESTS/live/coordinator.bash"
coordinator
joined stays
generation=0
for phase in SUSPEND ELECT DRAIN; do
    worker "dies_$phase" --at "$phase=die"
    said "dies_$phase" 'joined 1'
    told 0 '' -bc
    generation=$((generation + 1))
    logged "Checkpoint complete; all workers running; generation $generation, 1 process,"
    ends "dies_$phase"
done
before=$(images | xargs ls -i)
for phase in SNAPSHOT REFILL RESUME WRITE; do
    worker "dies_$phase" --at "$phase=die"
    said "dies_$phase" 'joined 1'
    told 2 "pid [0-9]* (dies_$phase) on host .* ended before its image was complete" -bc
    said stays "abort pid [0-9]* (dies_$phase) on host .* ended before its image was complete"
    ends "dies_$phase"
    [ "$(images | xargs ls -i)" = "$before" ] || fail "$phase: the previous set has changed"
    no_temporaries
done
worker drops --at WRITE=drop
said drops 'joined 1'
told 2 'drops) on host .* ended before its image was complete' -bc
no_temporaries
worker dies_COMMIT --at COMMIT=die
said dies_COMMIT 'joined 1'
told 0 '' -bc
# The coordinator, on the same host, renames its image in its place.
[ "$(ls "$IMAGES" | grep '^ckpt_dies_COMMIT_' | grep -c 'dmtcp$')" = 1 ] || fail "the image of the one that died in COMMIT: $(ls "$IMAGES")"
grep -q 'ckpt_dies_COMMIT_' "$IMAGES/dmtcp_restart_script.sh" || fail "the restart script does not list the image of the one that died in COMMIT"
# All of them: given up, and the coordinator is as new.
worker last --at DRAIN=die
said last 'joined 1'
kill "${WORKER[stays]}"
await "one worker" says NUM_PEERS=1
told 2 'all programs have ended' -bc
told 2 'no program is running' -bc
quit
