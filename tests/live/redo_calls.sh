#!/bin/bash
# System calls that are interrupted end as if they had not been: every kind, held for no time, for some time, and as after a restart.
set -eu
"$B/tests/live/redo_calls"
"$B/tests/live/redo_calls" hold 10
"$B/tests/live/redo_calls" hold 5 restarted
