#!/bin/sh
# variants: root unpriv
# Mapped files are mapped again while they are the same, replaced by the stored contents or missed by name otherwise.
. "$TESTS/loader/cases.sh"
cases 3 private_file_same private_file_changed private_file_gone shared_file shared_file_gone shared_file_short shared_memory
