#!/bin/bash
# variants: root unpriv
# Perl's open '|-' and '-|', backticks, system and fork with handlers for SIGCHLD, checkpointed anywhere.
. "$TESTS/lib.sh"
. "$TESTS/live/anytime.bash"
need perl
anytime perl "$TESTS/live/programs/pipes.pl" 8
