#!/bin/bash
# Neither zero pages nor untouched pages nor address space are stored: the raw image is at most 1 % more than what was touched.
# variants: root unpriv raw
. "$TESTS/lib.sh"

start_coordinator
launch "$B/tests/live/stepper" 0
await_step 1 "it runs"
checkpoint
base=$(stat -c %s "$(images)")
finish
rm -f images/* "$STEP_DIR"/*
launch "$B/tests/live/sparse_memory" 256
await_step 1 "it runs"
touched=$(cat program.out)
checkpoint
size=$(stat -c %s "$(images)")
[ "$size" -le $((base + touched + touched / 100)) ] || fail "an image of $size bytes for $touched touched and $base of program"
kill_program
restart
await_running
go 1
await_step 2 "its memory is as it was"
finish
stop_coordinator
