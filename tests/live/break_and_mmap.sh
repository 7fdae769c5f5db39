#!/bin/bash
# variants: root unpriv gzip raw
. "$TESTS/lib.sh"
survive "$B/tests/live/break_and_mmap"
