#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"
grep -q . /proc/net/if_inet6 2>/dev/null || skip "there is no IPv6"
GENERATIONS=2 survive "$B/tests/live/inet_unconnected" 6
