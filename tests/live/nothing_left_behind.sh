#!/bin/bash
# --exit-on-last ends the coordinator with its last program; images and the restart script are all that stays.
# variants: root unpriv
. "$TESTS/lib.sh"

before=$(ls -A "$TEST_TMP")
dmtcp_coordinator --daemon --exit-on-last --coord-port 0 --port-file port --coord-logfile coordinator.log >coordinator.out 2>&1 </dev/null ||
    fail "dmtcp_coordinator --daemon: exit code $?"
await "the port file" test -s port
export DMTCP_COORD_HOST=127.0.0.1 DMTCP_COORD_PORT=$(cat port)
launch "$B/tests/live/stepper" 1
await_step 1 "it runs"
checkpoint
go 1
await_step 2 "it goes on"
finish
await "the coordinator's end, which removes its port file" test ! -e port
dmtcp_command -s >/dev/null 2>&1 && fail "the coordinator still answers"
left=$(find "$TEST_TMP" -mindepth 1 \( -type f -o -type l -o -type s -o -type p \) -printf '%P\n' | grep -vE '^(images/ckpt_[^/]*\.dmtcp|images/dmtcp_restart_script[^/]*\.sh|step/.*|\.pause|program\.(out|err)|command\.(out|err)|coordinator\.(out|log)|dmtcp_restart_script[^/]*\.sh)$')
[ ! "$left" ] || fail "left behind: $left"
