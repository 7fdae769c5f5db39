#!/bin/sh
# variants: root unpriv
# A vDSO that the kernel does not let the loader move (sealed by the test, where the kernel has mseal).
. "$TESTS/loader/cases.sh"
cases 6 vdso_really_sealed vdso_really_sealed_in_the_way
