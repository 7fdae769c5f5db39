#!/bin/bash
# variants: root unpriv
# Anonymous memory shared by processes is one memory after a restart too.
. "$TESTS/lib.sh"
survive "$B/tests/live/tree_shared_memory"
