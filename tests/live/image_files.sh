#!/bin/bash
# Images are the owner's alone; zcat of a compressed one is a raw one, and restarts just as well.
# variants: root unpriv
. "$TESTS/lib.sh"

umask 0
start_coordinator
launch --gzip "$B/tests/live/stepper" 2
await_step 1 "it runs"
checkpoint
kill_program
image=$(images)
[ "$(stat -c %a "$image")" = 600 ] || fail "the image has mode $(stat -c %a "$image")"
case ${image##*/} in
ckpt_stepper_*-*-*.dmtcp) ;;
*) fail "the image is called ${image##*/}" ;;
esac
[ "$(od -An -tx1 -N2 "$image" | tr -d ' ')" = 1f8b ] || fail "the image is not in gzip format"
gzip -t "$image" || fail "gzip -t finds fault"
compressed=$(stat -c %s "$image")
zcat "$image" >raw || fail "zcat: $?"
mv raw "$image"
[ "$(head -c 23 "$image")" = DMTCP_CHECKPOINT_IMAGE_ ] || fail "the raw image starts \"$(head -c 23 "$image" | tr -cd ' -~')\""
[ "$(stat -c %s "$image")" -gt "$compressed" ] || fail "the image was not compressed"
restart
await_running
go 1
await_step 2 "it goes on from the raw image"
finish

# Written raw.
rm -f images/* "$STEP_DIR"/*
launch --no-gzip "$B/tests/live/stepper" 2
await_step 1 "it runs"
checkpoint
image=$(images)
[ "$(stat -c %a "$image")" = 600 ] || fail "the image has mode $(stat -c %a "$image")"
[ "$(head -c 23 "$image")" = DMTCP_CHECKPOINT_IMAGE_ ] || fail "the raw image starts \"$(head -c 23 "$image" | tr -cd ' -~')\""
[ "$(stat -c %s "$image")" -lt 12000000 ] || fail "an image of $(stat -c %s "$image") bytes for a program of 2 MiB"
finish
stop_coordinator
