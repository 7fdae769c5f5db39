#!/bin/bash
# variants: root unpriv gzip raw
# limit: 120
. "$TESTS/lib.sh"
need gawk
survive gawk -f "$TESTS/live/programs/table.awk"
same progress
