#!/bin/bash
# variants: root unpriv
# xargs -P with four programs at a time, checkpointed anywhere.
. "$TESTS/lib.sh"
. "$TESTS/live/anytime.bash"
need xargs
verify() { cat out.* | sort -n; }
anytime sh -c 'seq 60 | xargs -P4 -n1 sh -c "expr \$0 \\* \$0 >out.\$0; echo one more"; echo "status $?"'
