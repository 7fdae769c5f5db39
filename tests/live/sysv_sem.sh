#!/bin/bash
# variants: root unpriv
# Once the objects are still there after the kill, then they are gone, and others may have got their numbers.
. "$TESTS/lib.sh"
KEY=$(printf '0x%x' $((0x44000000 + $$)))

# The program says which; nothing is translated before the first restart.
ours() { grep -hs '^id ' "$TEST_TMP/program.err" "$TEST_TMP/plain.err" | cut -d' ' -f2; }

after_kill() {
    local id
    [ $1 = 2 ] || return 0
    for id in $(ours); do ipcrm -s "$id" 2>/dev/null; done
}
at_end() {
    local id
    ipcrm -S $KEY
    for id in $(ours); do ipcrm -s "$id"; done
}
need ipcrm
GENERATIONS=2 survive "$B/tests/live/sysv_sem" $KEY
