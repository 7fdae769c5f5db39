#!/bin/bash
# variants: root unpriv
# Python's multiprocessing (fork) with a pool, a pipe, a queue, a lock and shared memory, and its subprocess, checkpointed anywhere.
. "$TESTS/lib.sh"
. "$TESTS/live/anytime.bash"
need python3
anytime python3 "$TESTS/live/programs/processes.py" fork 4
