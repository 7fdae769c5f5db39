#!/bin/bash
# variants: root
# limit: 120
# The same where kcmp is refused: sockets are told apart by their owners for signals.
export DMTCP_DISABLE=kcmp
. "$TESTS/live/unix_streams.sh"
