#!/bin/bash
# variants: unpriv
. "$TESTS/lib.sh"
need php
GENERATIONS=2 survive php "$TESTS/live/programs/runtime.php"
