#!/bin/bash
# The server's child writes a dump of the database while the checkpoint is taken. It gives that file its final name in the end, so that a restart
# needs it as it was.
# variants: root unpriv
. "$TESTS/lib.sh"
need python3
PATH=$PATH:$TEST_TMP
type -P redis-server >/dev/null || ! type -P redis-check-rdb >/dev/null || ln -s "$(type -P redis-check-rdb)" redis-server # they are one program
need redis-server redis-check-rdb
export DMTCP_CKPT_OPEN_FILES=1 DMTCP_ALLOW_OVERWRITE_WITH_CKPTED_FILES=1
survive_saying "all keys" python3 "$TESTS/live/programs/redis.py" save
