#!/bin/bash
# Those that need no pipes, sockets or children, over restarts too.
# variants: root unpriv
# limit: 120
. "$TESTS/lib.sh"
. "$TESTS/live/blocked_calls.bash"
blocked_calls plain 10 2
