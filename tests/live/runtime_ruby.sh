#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"
need ruby
GENERATIONS=2 survive ruby "$TESTS/live/programs/runtime.rb"
