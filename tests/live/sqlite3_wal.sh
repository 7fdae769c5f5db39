#!/bin/bash
# Two processes with one database in WAL mode: shared mappings of its index, locks, a transaction under way in each. The database goes on after the
# checkpoint, so a restart needs its files as they were.
# variants: root unpriv
. "$TESTS/lib.sh"
need python3
python3 -c 'import sqlite3' 2>/dev/null || skip "python3 has no sqlite3"
export DMTCP_CKPT_OPEN_FILES=1 DMTCP_ALLOW_OVERWRITE_WITH_CKPTED_FILES=1
GENERATIONS=2 survive python3 "$TESTS/live/programs/wal.py"
