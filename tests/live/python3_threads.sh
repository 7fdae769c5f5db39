#!/bin/bash
# variants: root unpriv gzip raw fallbacks
# limit: 120
. "$TESTS/lib.sh"
need python3
survive python3 "$TESTS/live/programs/threads.py"
same progress
