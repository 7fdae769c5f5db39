#!/bin/bash
# variants: root unpriv
# A program that can't be followed leaves the computation when it is executed or spawned, also while a checkpoint is under way: no checkpoint's signal
# ends it, dmtcp_command -l and the coordinator's log name it, and no checkpoint waits for it. So does what dmtcp_nocheckpoint runs.
. "$TESTS/lib.sh"
need gcc
printf '#include <stdlib.h>\n#include <unistd.h>\nint main(int n, char **a) { usleep(1000); for (; n > 2 && access(a[2], 0); ) usleep(10000); return atoi(a[1]); }\n' >static.c
gcc -static -o static_program static.c || skip "no static programs can be linked here"
cat >shell.sh <<'SH'
./static_program 5 "$STEP_DIR/end" & # fork and exec
dmtcp_nocheckpoint sleep 1000 &
apart=$!
while [ ! -e "$STEP_DIR/end" ]; do
    ./static_program 7
    status=$?
    [ $status = 7 ] || { echo "status $status"; exit 1; }
    mkdir "$STEP_DIR/one" 2>/dev/null
done
kill $apart
wait
exit 0
SH
start_coordinator
launch bash shell.sh
goes_on() { rmdir "$STEP_DIR/one" 2>/dev/null; await_program "another static program" test -d "$STEP_DIR/one"; }
goes_on
for i in 1 2 3 4 5 6; do
    checkpoint
    goes_on
done
listed() { dmtcp_command -l | grep -q "pid [0-9]* ($1) $2"; }
await "the static program in the list" listed static_program "is statically linked"
await "what dmtcp_nocheckpoint runs in the list" listed sleep "was started by dmtcp_nocheckpoint"
grep -q "not in the checkpoint: pid [0-9]* (static_program) is statically linked" coordinator.log || fail "the log does not name it"
finish
stop_coordinator
