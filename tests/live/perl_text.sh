#!/bin/bash
# variants: root unpriv gzip raw
# limit: 120
. "$TESTS/lib.sh"
need perl
survive perl "$TESTS/live/programs/words.pl"
same progress
