#!/bin/bash
# 2 GB with every other page touched: the image is within 1 % of the touched bytes. 2 GB of resident zeros: the image is no larger than
# with 1 MB of them. Needs 3 GB of memory for a moment.
# limit: 120
set -eu
write="$B/tests/writer/write_image"
free=$(awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo)
[ "$free" -gt 4096 ] || { echo "only $free MB of memory available, 4096 needed"; exit 77; }
room=$(df -Pm "$TEST_TMP" | awk 'NR == 2 { print $4 }')
[ "$room" -gt 2048 ] || { echo "only $room MB of disk available, 2048 needed"; exit 77; }

size() { stat -c %s "$TEST_TMP/image"; }

"$write" "$TEST_TMP/image" sparse:2048 gzip=0
touched=$((1 << 30))
echo "$(size) bytes for $touched"
# The program itself, its libraries and its stack are in the image too: 3 MB at the most.
[ "$(size)" -le $((touched + touched / 100 + 3145728)) ]

"$write" "$TEST_TMP/image" zeros:1 gzip=0
small=$(size)
"$write" "$TEST_TMP/image" zeros:2048 gzip=0
echo "$small bytes with 1 MB of resident zeros, $(size) with 2 GB"
[ "$(size)" -lt $((small + 65536)) ]
