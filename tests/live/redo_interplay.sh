#!/bin/bash
# The application's signals, pthread_cancel, backtrace and longjmp meet calls that are being continued.
set -eu
"$B/tests/live/redo_interplay"
