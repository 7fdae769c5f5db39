#!/bin/sh
# variants: root unpriv
# The old vDSO works after a restart: moved, patched, sealed, and where a sealed one is in the image's way.
. "$TESTS/loader/cases.sh"
cases 6 vdso_differs vdso_sealed vdso_sealed_in_the_way vdso_sealed_top_full vdso_sealed_nowhere
