#!/bin/sh
# variants: root unpriv
# The loader brings memory back as it was, wherever the new process's own mappings and the loader itself happen to be.
. "$TESTS/loader/cases.sh"
cases 6 ordinary small_chunks loader_in_the_way crowded
