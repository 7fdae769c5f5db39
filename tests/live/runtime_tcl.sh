#!/bin/bash
# variants: unpriv
. "$TESTS/lib.sh"
need tclsh
GENERATIONS=2 survive tclsh "$TESTS/live/programs/runtime.tcl"
