#!/bin/bash
# variants: root unpriv gzip raw
# limit: 120
. "$TESTS/lib.sh"
need node
survive node "$TESTS/live/programs/worker.js"
same progress
