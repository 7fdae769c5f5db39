#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"
need memcached python3
survive_saying "all keys" python3 "$TESTS/live/programs/memcached.py"
