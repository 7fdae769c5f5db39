#!/bin/sh
# The image reader against a bounded number of damaged images, with sanitizers. tests/fuzz/image_fuzz.c says how to go on with libFuzzer.
exec "${B%/*}/build-san/tests/fuzz/image_mutate"
