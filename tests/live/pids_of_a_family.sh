#!/bin/bash
# variants: root unpriv fallbacks
. "$TESTS/lib.sh"
GENERATIONS=2 survive "$B/tests/live/pids_of_a_family"
