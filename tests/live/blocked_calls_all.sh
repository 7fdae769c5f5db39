#!/bin/bash
# Every call of signal(7)'s two lists, over checkpoints; without descriptors of kinds that are refused so far.
# variants: root unpriv raw
# limit: 240
. "$TESTS/lib.sh"
. "$TESTS/live/blocked_calls.bash"
blocked_calls 20 0 listeners queues timers
