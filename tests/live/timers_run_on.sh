#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"
run_on 5 "$B/tests/live/timers_run_on"
[ "$(cat program.out)" = "timers ran on" ] || fail "the program's output is wrong: $(cat program.out)"
