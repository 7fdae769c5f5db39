#!/bin/bash
# kill, quit, kill after checkpoint, the end with the last program, timeouts, signals: who ends and who runs on.
. "$TESTS/lib.sh"
. "$TESTS/live/coordinator.bash"
coordinator
joined one two
told 0 '' -k
grep -qx '  NUM_PEERS=0' <(dmtcp_command -s) || fail "dmtcp_command -k came back before the programs had ended"
ends one two
told 0 '' -k # nobody is left: done
# One that does not hear is killed by its pid.
worker deaf --deaf
said deaf 'joined 1'
kill -STOP "${WORKER[deaf]}"
told 0 '' -k
ends deaf
# ... but not a stranger that has the pid which a process of another host had.
worker remote --deaf --host elsewhere
said remote 'joined 1'
told 2 'did not end, the first is pid [0-9]* (remote) on host elsewhere' -k
ended "${WORKER[remote]}" && fail "a process of another host was killed here"
kill "${WORKER[remote]}"
joined three
told 0 '' -kc
[ "$(images | wc -l)" = 1 ] || fail "images: $(images)"
ends three
joined four
quit
ends four

coordinator --exit-on-last
joined five
kill "${WORKER[five]}"
gone
coordinator --exit-on-last --kill-after-ckpt
joined six
told 0 '' -bc
ends six
gone
coordinator --stale-timeout 1
gone
coordinator --timeout 1
worker seven
gone
said seven end
never_said seven kill
for signal in INT TERM HUP; do
    coordinator
    worker "signal_$signal"
    said "signal_$signal" 'joined 1'
    kill -$signal $COORDINATOR
    gone
    said "signal_$signal" end
    never_said "signal_$signal" kill
done
# Killed, it can't tidy up; the next one at its port can.
coordinator
kill -9 $COORDINATOR
await "its death" ended $COORDINATOR
[ -e "$SECRET" ] || fail "what became of the secret?"
coordinator
joined last
quit
no_temporaries
