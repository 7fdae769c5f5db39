#!/bin/bash
# variants: root unpriv
# A script of zsh with pipelines, background jobs, traps, wait, substitutions and here-documents, checkpointed and restarted anywhere in it.
. "$TESTS/lib.sh"
. "$TESTS/live/anytime.bash"
need zsh
anytime zsh "$TESTS/live/programs/shell.sh"
