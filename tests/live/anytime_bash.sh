#!/bin/bash
# variants: root unpriv
# A script of bash with pipelines, background jobs, traps, wait, substitutions and here-documents, checkpointed and restarted anywhere in it.
. "$TESTS/lib.sh"
. "$TESTS/live/anytime.bash"
need bash
anytime bash "$TESTS/live/programs/shell.sh"
