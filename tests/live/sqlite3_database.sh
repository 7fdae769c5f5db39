#!/bin/bash
# variants: root unpriv gzip raw
# limit: 120
. "$TESTS/lib.sh"
need sqlite3
survive sqlite3 data.db -init "$TESTS/live/programs/database.sql" .quit
cmp <(sqlite3 "$PLAIN_DIR/data.db" .dump) <(sqlite3 data.db .dump) || fail "the databases differ"
