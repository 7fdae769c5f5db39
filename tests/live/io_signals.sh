#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"
GENERATIONS=2 survive "$B/tests/live/io_signals"
