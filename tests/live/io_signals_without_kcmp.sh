#!/bin/bash
# variants: root unpriv
export DMTCP_DISABLE=kcmp
. "$TESTS/live/io_signals.sh"
