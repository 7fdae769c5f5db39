#!/bin/bash
# A program that may have no more processes runs on, outside of the computation, when exec leaves no room for the checkpoint thread.
# variants: unpriv
. "$TESTS/lib.sh"

start_coordinator
dmtcp_launch --join bash -c 'ulimit -u 1; exec bash -c "echo it runs; exit 3"' >out 2>err </dev/null
status=$?
[ $status = 3 ] || fail "it ended with $status: $(cat err)"
[ "$(cat out)" = "it runs" ] || fail "it said: $(cat out)"
grep -q "leaves the computation: .*ulimit -u" err || fail "nothing is said: $(cat err)"
stop_coordinator
