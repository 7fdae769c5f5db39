#!/bin/bash
# variants: unpriv
. "$TESTS/lib.sh"
need lua5.4
GENERATIONS=2 survive lua5.4 "$TESTS/live/programs/runtime.lua"
