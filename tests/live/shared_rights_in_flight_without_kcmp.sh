#!/bin/bash
# variants: root unpriv
export DMTCP_DISABLE=kcmp,close_range
. "$TESTS/live/shared_rights_in_flight.sh"
