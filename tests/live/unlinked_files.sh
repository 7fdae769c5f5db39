#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"
GENERATIONS=2 survive "$B/tests/live/unlinked_files"
left=$(find . -name '.dmtcp*')
[ ! "$left" ] || fail "left behind: $left"
