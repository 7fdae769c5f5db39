#!/bin/bash
# variants: root
export DMTCP_DISABLE=set_tid
. "$TESTS/live/io_signals.sh"
