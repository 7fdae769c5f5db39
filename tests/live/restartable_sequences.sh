#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"
survive "$B/tests/live/restartable_sequences"
