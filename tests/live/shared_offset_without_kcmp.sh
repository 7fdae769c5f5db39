#!/bin/bash
# variants: root unpriv
export DMTCP_DISABLE=kcmp
. "$TESTS/live/shared_offset.sh"
