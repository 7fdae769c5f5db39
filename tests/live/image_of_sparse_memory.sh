#!/bin/bash
# 512 MB with every other page touched: the image is within 1 % of the touched bytes. As much of resident zeros: the image is no larger than
# with 1 MB of them. Both are proportions; SPARSE_MB=2048 shows them for 2 GB.
# limit: 120
set -eu
write="$B/tests/writer/write_image"
free=$(awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo)
mb=${SPARSE_MB:-512}
[ "$free" -gt $((2 * mb)) ] || { echo "only $free MB of memory available, $((2 * mb)) needed"; exit 77; }
room=$(df -Pm "$TEST_TMP" | awk 'NR == 2 { print $4 }')
[ "$room" -gt "$mb" ] || { echo "only $room MB of disk available, $mb needed"; exit 77; }

size() { stat -c %s "$TEST_TMP/image"; }

"$write" "$TEST_TMP/image" "sparse:$mb" gzip=0
touched=$((mb << 19))
echo "$(size) bytes for $touched"
# The program itself, its libraries and its stack are in the image too: 3 MB at the most.
[ "$(size)" -le $((touched + touched / 100 + 3145728)) ]

"$write" "$TEST_TMP/image" zeros:1 gzip=0
small=$(size)
"$write" "$TEST_TMP/image" "zeros:$mb" gzip=0
echo "$small bytes with 1 MB of resident zeros, $(size) with $mb MB"
[ "$(size)" -lt $((small + 65536)) ]
