#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"
survive "$B/tests/live/pids_of_a_process"
