#!/bin/bash
# variants: root unpriv
# limit: 120
. "$TESTS/lib.sh"
. "$TESTS/live/traffic.bash"
need node
traffic node "$TESTS/live/programs/keep_alive.js"
