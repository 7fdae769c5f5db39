#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"
export DMTCP_DISABLE=set_tid
GENERATIONS=2 survive "$B/tests/live/libc_signals"
