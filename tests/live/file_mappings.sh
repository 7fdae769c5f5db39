#!/bin/bash
# variants: root unpriv gzip raw
. "$TESTS/lib.sh"
start_coordinator
launch "$B/tests/live/file_mappings"
await_step 1 "the files are mapped"
checkpoint
rm gone # it can still be restarted
generations 3
finish
stop_coordinator
