#!/bin/bash
# variants: root unpriv gzip raw fallbacks
. "$TESTS/lib.sh"
survive "$B/tests/live/memory_kinds"
