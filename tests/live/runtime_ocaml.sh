#!/bin/bash
# variants: unpriv
. "$TESTS/lib.sh"
need ocaml
GENERATIONS=2 survive ocaml "$TESTS/live/programs/runtime.ml"
