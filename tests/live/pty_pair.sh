#!/bin/bash
# variants: root unpriv gzip raw
. "$TESTS/lib.sh"
survive "$B/tests/live/pty_pair"
