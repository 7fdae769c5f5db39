#!/bin/sh
# variants: root unpriv
# What madvise and mlock said of memory, guard regions, huge pages (or normal ones in their place) and names come back.
. "$TESTS/loader/cases.sh"
cases 3 flags guards huge_pages
