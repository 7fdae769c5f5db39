#!/bin/bash
# variants: root unpriv
# limit: 120
. "$TESTS/lib.sh"
. "$TESTS/live/traffic.bash"
need python3
traffic python3 "$TESTS/live/programs/asyncio_echo.py" two
