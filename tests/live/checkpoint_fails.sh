#!/bin/bash
# A checkpoint that can't be written hurts nobody: the program runs on, the command says why and exits 2, no temporary file stays, the old
# image too; and when there is room again, the next one succeeds.
# variants: root unpriv gzip raw
. "$TESTS/lib.sh"

expect_failure() { # WHAT
    command_done -bc
    local status=$?
    [ $status = 2 ] || fail "$1: dmtcp_command -bc: exit code $status instead of 2"
    [ -s command.err ] || fail "$1: dmtcp_command gives no reason"
    await "$1: no temporary file" sh -c '! ls images/*.temp >/dev/null 2>&1'
}

start_coordinator
launch "$B/tests/live/stepper" 8
await_step 1 "it runs"
checkpoint
first=$(md5sum <"$(images)")

# No place.
mv images elsewhere
expect_failure "no directory"
mv elsewhere images
if [ "$(id -u)" != 0 ]; then
    chmod 555 images
    expect_failure "directory not writable"
    chmod 755 images
fi
go 1
await_step 2 "it runs on"
[ "$(md5sum <"$(images)")" = "$first" ] || fail "the old image was changed"

checkpoint
kill_program
rm "$STEP_DIR/ready"
restart
await_running
go 2
await_step 3 "it goes on from the new image"
first=$(md5sum <"$(images)")

# Files may not grow (a hard limit): EFBIG, and SIGXFSZ, which must not reach the program.
prlimit --pid "$(program_pid)" --fsize=1000000:1000000 || fail "prlimit: $?"
expect_failure "file size limit"
go 3
await_step 4 "it runs on"
[ "$(md5sum <"$(images)")" = "$first" ] || fail "the old image was changed"
finish
stop_coordinator
