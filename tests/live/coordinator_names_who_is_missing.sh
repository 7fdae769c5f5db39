#!/bin/bash
# A process that does not get on is named, with what it says about itself; after the deadline the checkpoint is given up.
. "$TESTS/lib.sh"
. "$TESTS/live/coordinator.bash"
coordinator --deadline 1
joined fine
worker stuck --at SUSPEND=hang --state 'thread 4713 in vfork' --host n2 --as 4711
said stuck 'joined 1'
told 2 'it took too long: waiting for pid 4711 (stuck, now [0-9]*) on host n2: in SUSPEND, thread 4713 in vfork' -bc
said fine 'abort .*waiting for pid 4711 .*'
said stuck 'abort .*'
for phase in ELECT DRAIN REFILL RESUME; do
    worker "stuck_$phase" --at "$phase=hang"
    said "stuck_$phase" 'joined 1'
    kill "${WORKER[stuck]}"
    await "two workers" says NUM_PEERS=2
    told 2 "waiting for pid [0-9]* (stuck_$phase) on host [^:]*: in $phase" -bc
    WORKER[stuck]=${WORKER[stuck_$phase]}
done
kill "${WORKER[stuck]}"
await "one worker" says NUM_PEERS=1
# Many are counted, not listed.
worker many --count 1 --at SUSPEND=hang
for i in 2 3 4 5; do
    worker "many$i" --at SUSPEND=hang
done
await "six workers" says NUM_PEERS=6
told 2 'waiting for .*; .*; .*; and 2 more' -bc
quit
