#!/bin/bash
# variants: unpriv
. "$TESTS/lib.sh"
need guile
GENERATIONS=2 survive guile --no-auto-compile "$TESTS/live/programs/runtime.scm"
