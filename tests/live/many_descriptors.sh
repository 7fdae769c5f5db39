#!/bin/bash
# variants: root unpriv raw
. "$TESTS/lib.sh"
survive "$B/tests/live/many_descriptors"
