#!/bin/bash
# variants: root unpriv raw
# limit: 120
GENERATIONS=5
. "$TESTS/lib.sh"
export DMTCP_FSYNC=0
survive "$B/tests/live/signals_between_threads"
