#!/bin/bash
# variants: root unpriv
# A removed working directory is restored; a changed root directory and seccomp filters are refused before anything is suspended.
. "$TESTS/lib.sh"
survive "$B/tests/live/tree_directories" removed

refused_checkpoint() { # HOW PATTERN
    rm -rf "$STEP_DIR" "$IMAGES" && mkdir "$STEP_DIR" "$IMAGES"
    launch "$B/tests/live/tree_directories" "$1"
    await_step 1 "its state is built"
    command_done -bc
    status=$?
    [ $status = 2 ] || fail "$1: exit code $status instead of 2"
    grep -q "$2" "$TEST_TMP/command.err" || fail "$1: said $(cat "$TEST_TMP/command.err")"
    [ ! "$(images)" ] || fail "$1: an image"
    go 1
    await_step 2 "it runs on"
    : >"$STEP_DIR/end"
    await "its end" ended "$PROGRAM"
    wait "$PROGRAM" || fail "$1: it ended with $?: $(cat program.err)"
}
start_coordinator
refused_checkpoint seccomp 'pid .*seccomp.*which a restart can.t do'
[ "$(id -u)" != 0 ] || refused_checkpoint chroot 'root directory has been changed to .*chroot'
stop_coordinator
