#!/bin/bash
# variants: root unpriv
# A script of dash with pipelines, background jobs, traps, wait, substitutions and here-documents, checkpointed and restarted anywhere in it.
. "$TESTS/lib.sh"
. "$TESTS/live/anytime.bash"
need dash
anytime dash "$TESTS/live/programs/shell.sh"
