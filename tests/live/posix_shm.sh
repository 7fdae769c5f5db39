#!/bin/bash
# variants: root unpriv
# POSIX shared memory is as at the checkpoint, also where others have written to the file since, or it is gone.
. "$TESTS/lib.sh"
NAME=dmtcp-test-$$

after_kill() {
    local file
    for file in /dev/shm/$NAME.*; do
        if [ $1 = 1 ]; then rm "$file"; else head -c 20000 /dev/zero | tr '\0' j >"$file"; fi
    done
}
at_end() { rm -f /dev/shm/$NAME.*; }
GENERATIONS=2 survive "$B/tests/live/posix_shm" $NAME
