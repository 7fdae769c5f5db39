#!/bin/bash
# variants: root unpriv
# When one process of a tree can't come back, none does, the orphans included: one line, the documented exit code, nothing left. When one is
# killed while they are restored, the same.
. "$TESTS/lib.sh"
start_coordinator
launch "$B/tests/live/tree_shape"
await_step 1 "its state is built"
checkpoint
command_done -k
wait "$PROGRAM"
count=$(images | wc -l)
[ "$count" -ge 14 ] || fail "only $count images"
# Ours only: other tests run beside.
nobody() {
    local ours
    ours=$(grep -lzxs "STEP_DIR=$STEP_DIR" /proc/[0-9]*/environ)
    # shellcheck disable=SC2086
    ! grep -qsx tree_shape ${ours//environ/comm} /dev/null
}
for image in $(images | head -n3 | tail -n1) $(images | tail -n1); do
    cp "$image" saved
    python3 - "$image" <<'PYTHON' || fail "damage"
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(8000)
    f.write(b"damaged damaged damaged")
PYTHON
    timeout 60 dmtcp_restart $(images) >out 2>err </dev/null
    status=$?
    [ $status = 101 ] || fail "status $status: $(cat err)"
    grep -q "${image##*/}.* is damaged" err || fail "said: $(cat err)"
    await "the end of all" nobody
    mv saved "$image"
done
restart
go 1
await_step 2 "it runs"
command_done -k
wait "$PROGRAM"
await "the end of all" nobody
stop_coordinator
