#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"
survive "$B/tests/live/process_identity"
