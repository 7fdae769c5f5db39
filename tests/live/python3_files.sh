#!/bin/bash
# Python with temporary files of each kind, a shared mapping of one, and locks.
# variants: root unpriv
. "$TESTS/lib.sh"
need python3
GENERATIONS=2 survive python3 "$TESTS/live/programs/files.py"
