#!/bin/bash
# variants: root unpriv gzip raw
# limit: 120
. "$TESTS/lib.sh"
need java
[ -f "$B/tests/live/java/Threads.class" ] || skip "javac is not installed"
survive java -Xmx96m -XX:+UseG1GC -XX:-UsePerfData -cp "$B/tests/live/java" Threads
same progress
