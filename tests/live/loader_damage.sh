#!/bin/sh
# variants: root unpriv
# A damaged image ends the restart with one line and the exit code that was asked for.
. "$TESTS/loader/cases.sh"
cases 6 flipped_bit half_zero
