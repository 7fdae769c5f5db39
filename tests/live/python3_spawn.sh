#!/bin/bash
# variants: root unpriv
# limit: 120
# multiprocessing by spawn: its semaphores, arenas and shared memory lie in /dev/shm.
. "$TESTS/lib.sh"
need python3
AWAIT_SECONDS=60 GENERATIONS=2 survive python3 "$TESTS/live/programs/multiprocess.py" spawn
