#!/bin/bash
# Every call of signal(7)'s two lists, over checkpoints.
# variants: root unpriv
# limit: 120
. "$TESTS/lib.sh"
. "$TESTS/live/blocked_calls.bash"
blocked_calls all 20 0
