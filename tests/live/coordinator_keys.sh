#!/bin/bash
# The key-value store: set, get, wait; gone with the computation; written to a file on request.
. "$TESTS/lib.sh"
. "$TESTS/live/coordinator.bash"
coordinator --write-kv-data
worker waits --get colour
said waits 'joined 1'
worker sets --set 'colour=dark "red"'
said waits 'value colour dark "red"'
worker gets --get colour
said gets 'value colour dark "red"'
told 0 '' -bc
grep -qx '  "colour": "dark \\"red\\""' "$IMAGES/dmtcp_kv_data.json" || fail "the file: $(cat "$IMAGES/dmtcp_kv_data.json")"
told 0 '' -k
worker later --get colour
said later 'joined 1'
worker marker --set other=1 --get other
said marker 'value other 1'
never_said later 'value .*'
# One that waits and ends must not be answered.
kill "${WORKER[later]}"
await "one worker" says NUM_PEERS=1
worker again --set colour=blue --get colour
said again 'value colour blue'
quit
