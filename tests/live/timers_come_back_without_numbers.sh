#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"
export DMTCP_DISABLE=timer_ids,set_tid
survive "$B/tests/live/timers_come_back"
