#!/bin/bash
# Every byte of awkward memory is in the image, and nothing else, whoever writes it and however; zcat of a compressed image is the raw one.
# variants: root unpriv gzip raw
set -eu
write="$B/tests/writer/write_image"
gzip=${DMTCP_GZIP:-1}
for way in writers=1 'writers=3 fsync=1' snapshot=never disable=uring disable=pagemap_scan disable=close_range \
    disable=uring,pagemap_scan,close_range,snapshot; do
    "$write" "$TEST_TMP/image" awkward gzip=$gzip $way
    if [ "$gzip" = 1 ] && [[ $way = writers* || $way = snapshot* ]]; then
        zcat "$TEST_TMP/image" >"$TEST_TMP/raw"
        "$write" "$TEST_TMP/raw" read
    fi
done
[ ! -e "$TEST_TMP/image.temp" ]
