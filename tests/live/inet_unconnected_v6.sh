#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"
[ -s /proc/net/if_inet6 ] || skip "there is no IPv6"
GENERATIONS=2 survive "$B/tests/live/inet_unconnected" 6
