#!/bin/sh
# variants: root unpriv
# Where the kernel can't be told the heap's place, the loader is execed so that it begins there, and sbrk works.
. "$TESTS/loader/cases.sh"
cases 6 brk_placed brk_lost
