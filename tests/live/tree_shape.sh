#!/bin/bash
# variants: root unpriv
# Parents, sessions, process groups, orphans, a subreaper's children and zombies are the same after a checkpoint and after a restart.
. "$TESTS/lib.sh"
# Orphans are no descendants of what was launched.
kill_program() {
    command_done -k || fail "dmtcp_command -k: $(tail -n1 "$TEST_TMP/command.err")"
    wait "$PROGRAM"
}
survive "$B/tests/live/tree_shape"
