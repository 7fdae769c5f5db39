#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"
need erl erlc
erlc "$TESTS/live/programs/runtime.erl" || fail "not compiled"
export ERL_AFLAGS="-pa $TEST_TMP" HOME=$TEST_TMP
GENERATIONS=2 survive erl -noshell -noinput -s runtime main
