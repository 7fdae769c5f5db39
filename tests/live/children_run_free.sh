#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"
survive "$B/tests/live/children_run_free"
