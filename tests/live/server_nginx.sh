#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"
PATH=$PATH:/usr/sbin
need nginx python3
survive_saying "answers kept" python3 "$TESTS/live/programs/nginx.py"
