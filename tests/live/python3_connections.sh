#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"
need python3
GENERATIONS=2 survive python3 "$TESTS/live/programs/connections.py"
