#!/bin/bash
# variants: root unpriv
# A checkpoint that can't stop a program gives up at the deadline, and says for which thread of which process it waited in vain and what
# that does; the program runs on, and the next checkpoint succeeds.
. "$TESTS/lib.sh"

refused_for() { # PATTERN
    command_done -bc
    local status=$?
    [ $status = 2 ] || fail "dmtcp_command -bc: exit code $status instead of 2"
    [ "$(wc -l <command.err)" = 1 ] && grep -qE "$1" command.err || fail "dmtcp_command says: $(cat command.err)"
    says RUNNING=yes || fail "not running after a checkpoint that failed"
    [ ! "$(find images -name 'ckpt_*')" ] || fail "it left $(ls images)"
}

start_coordinator --deadline 2
launch "$B/tests/live/suspend_names_thread" "$TEST_TMP/release"
await_step 1 "it runs"
in_vfork() { grep -q '^State:.D' /proc/$PROGRAM/task/*/status; }
await_program "a thread in vfork" in_vfork
tid=$(grep -l '^State:.D' /proc/$PROGRAM/task/*/status | cut -d/ -f5)
refused_for "pid $PROGRAM \(suspend_names_t.*thread $tid can't be interrupted \(state D, .*vfork"

: >release
go 1
await_step 2 "it goes on"
checkpoint
go 2
await_step 3 "it runs on"
kill_program
rm "$STEP_DIR/ready"
restart
await_running restart
go 3
await_step 4 "it goes on after the restart"
finish
stop_coordinator
