#!/bin/bash
# variants: root unpriv gzip raw
. "$TESTS/lib.sh"
survive "$B/tests/live/regular_files"
same written
same read
