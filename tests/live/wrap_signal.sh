#!/bin/bash
# The checkpoint signal is hidden: the default one, and one below 32 as --ckpt-signal may choose.
set -eu
"$B/tests/live/wrap_signal"
"$B/tests/live/wrap_signal" 27
"$B/tests/live/wrap_signal" 34
