#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"
need python3
PATH=$PATH:$TEST_TMP
type -P redis-server >/dev/null || ! type -P redis-check-rdb >/dev/null || ln -s "$(type -P redis-check-rdb)" redis-server # they are one program
need redis-server
survive_saying "all keys" python3 "$TESTS/live/programs/redis.py"
