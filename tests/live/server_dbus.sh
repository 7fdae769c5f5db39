#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"
need dbus-daemon dbus-monitor python3
survive_saying "calls answered" python3 "$TESTS/live/programs/dbus.py"
