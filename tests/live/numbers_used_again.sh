#!/bin/bash
# variants: root
# In a pid namespace of its own, where the next number can be chosen and nobody else takes it.
if [ ! "${IN_NAMESPACE:-}" ]; then
    IN_NAMESPACE=1 unshare --pid --fork --mount-proc --kill-child true 2>/dev/null || { echo "a pid namespace can't be made"; exit 77; }
    IN_NAMESPACE=1 exec unshare --pid --fork --mount-proc --kill-child bash "$0"
fi
. "$TESTS/lib.sh"
[ -w /proc/sys/kernel/ns_last_pid ] || skip "the kernel has no ns_last_pid"
export DMTCP_DISABLE=set_tid
GENERATIONS=2 survive "$B/tests/live/numbers_used_again"
