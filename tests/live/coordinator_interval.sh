#!/bin/bash
# Checkpoints by themselves, when asked for by option, command or a program; none without programs.
. "$TESTS/lib.sh"
. "$TESTS/live/coordinator.bash"
coordinator -i 1
joined one
logged 'Checkpoint complete; all workers running; generation 2'
told 0 '' -i 0
[ "$(cat command.out)" = 'Interval changed to 0' ] || fail "said: $(cat command.out)"
told 0 '' s
grep -qx '  CKPT_INTERVAL=0 (checkpoint manually)' command.out || fail "status: $(cat command.out)"
told 0 '' -bc # after this none is under way
count=$(grep -c 'starting checkpoint' coordinator.log)
told 0 '' -i1
logged "Checkpoint complete; all workers running; generation $((count + 1))"
told 0 '' i 0
told 0 '' -bc
count=$(grep -c 'starting checkpoint' coordinator.log)
worker asks --request
logged "Checkpoint complete; all workers running; generation $((count + 1)), 2 processes"
quit
