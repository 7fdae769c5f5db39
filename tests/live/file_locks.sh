#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"
GENERATIONS=2 survive "$B/tests/live/file_locks"
grep -q 'lease on .*leased' program.err || fail "nothing was said about the lease: $(cat program.err)"
