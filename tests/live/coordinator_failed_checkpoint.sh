#!/bin/bash
# One process that can't be checkpointed: everybody runs on, the reason reaches who asked, and the next checkpoint is a new one, which no late
# message of the one before disturbs.
. "$TESTS/lib.sh"
. "$TESTS/live/coordinator.bash"
coordinator
joined fine
for phase in SUSPEND ELECT DRAIN SNAPSHOT REFILL RESUME WRITE; do
    worker "fails_$phase" --at "$phase=fail:descriptor 7 is a userfaultfd; close it"
    said "fails_$phase" 'joined 1'
    told 2 "pid [0-9]* (fails_$phase) on host .*: descriptor 7 is a userfaultfd; close it" -bc
    for name in fine "fails_$phase"; do
        said $name "abort pid [0-9]* (fails_$phase) on host .*: descriptor 7 is a userfaultfd; close it"
    done
    [ ! "$(images)" ] || fail "there are images: $(images)"
    [ ! -e "$IMAGES/dmtcp_restart_script.sh" ] || fail "there is a restart script"
    kill "${WORKER[fails_$phase]}"
    await "one worker" says NUM_PEERS=1
    no_temporaries
done
told 0 '' -bc
[ "$(images | wc -l)" = 1 ] || fail "images: $(images)"
# An image that is not renamed: the set is complete all the same, and whoever asked is told.
worker unrenamed --at COMMIT=error:28
said unrenamed 'joined 1'
told 2 'unrenamed) on host .* could not rename .*ckpt_unrenamed_.*: No space left on device' -bc
never_said unrenamed 'abort .*'
# Asked to kill, with such a problem it does not.
told 2 'could not rename' -kc
never_said fine kill
kill "${WORKER[unrenamed]}"
await "one worker" says NUM_PEERS=1
# A directory without place for the script is found before anything is stopped.
begun=$(grep -c '^begin' fine.out)
mv "$IMAGES" "$IMAGES.away"
told 2 "the restart script can't be written to $IMAGES" -bc
[ "$(grep -c '^begin' fine.out)" = "$begun" ] || fail "programs were stopped for nothing"
mv "$IMAGES.away" "$IMAGES"
# Written before the phase ends; and one who breaks the rules loses its connection.
worker early --at SNAPSHOT=early
said early 'joined 1'
told 0 '' -bc
kill "${WORKER[early]}"
await "one worker" says NUM_PEERS=1
worker twice --at ELECT=twice
said twice 'joined 1'
told 0 '' -bc
said twice end
logged 'is closed: it ended a phase that it was not in'
quit
