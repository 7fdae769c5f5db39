#!/bin/bash
# A full disk: a small file system of its own.
# variants: root gzip raw
[ "${UNSHARED:-}" ] || UNSHARED=1 exec unshare --mount "$0"
. "$TESTS/lib.sh"

mount -t tmpfs -o size=4m tmpfs "$IMAGES" || skip "can't mount a tmpfs"
start_coordinator
launch "$B/tests/live/stepper" 16
await_step 1 "it runs"
for i in 1 2; do
    command_done -bc
    status=$?
    [ $status = 2 ] || fail "dmtcp_command -bc on a full disk: exit code $status instead of 2"
    grep -qi 'space' command.err || fail "the reason is not given: $(cat command.err)"
    [ ! "$(find "$IMAGES" -name 'ckpt*')" ] || fail "left on the full disk: $(ls "$IMAGES")"
    go $i
    await_step $((i + 1)) "it runs on"
done
mount -o remount,size=200m "$IMAGES" || fail "remount: $?"
checkpoint
kill_program
rm "$STEP_DIR/ready"
restart
await_running
go 3
await_step 4 "it goes on"
finish
stop_coordinator
umount "$IMAGES"
