#!/bin/bash
# Those whose objects come back, over restarts too.
# variants: root unpriv raw
# limit: 240
. "$TESTS/lib.sh"
. "$TESTS/live/blocked_calls.bash"
blocked_calls 10 2 listeners queues aio timers children locks
