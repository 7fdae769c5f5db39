#!/bin/bash
# variants: root unpriv
export DMTCP_DISABLE=kcmp
. "$TESTS/live/unix_named.sh"
