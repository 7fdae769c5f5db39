#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"
export DMTCP_DISABLE=timer_ticks
survive "$B/tests/live/timerfds"
