#!/bin/bash
# variants: root unpriv
# Named semaphores have the values of the checkpoint, also where the files have changed or are gone.
. "$TESTS/lib.sh"
NAME=dmtcp-test-$$

after_kill() {
    local file
    for file in /dev/shm/sem.$NAME.*; do
        if [ $1 = 1 ]; then rm "$file"; else head -c 20000 /dev/zero | tr '\0' j >"$file"; fi
    done
}
at_end() { rm -f /dev/shm/sem.$NAME.*; }
GENERATIONS=2 survive "$B/tests/live/posix_sem" $NAME
