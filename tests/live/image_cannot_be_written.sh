#!/bin/bash
# Where the image can't be written, the program runs on, nothing is left behind, and one line names the file and a way out.
set -u
write="$B/tests/writer/write_image"
fail() { echo "$*"; exit 1; }

# refused WHAT PATTERN ARGUMENT...: exit 3 and a line that matches.
refused() {
    local what=$1 pattern=$2 line status
    shift 2
    line=$("$write" "$@" 2>&1)
    status=$?
    echo "$what: $line"
    [ $status = 3 ] || fail "$what: exit code $status"
    [ "$(wc -l <<<"$line")" = 1 ] || fail "$what: not one line"
    [[ $line == $pattern ]] || fail "$what: no $pattern"
}

for way in snapshot=auto snapshot=never; do
    for uring in writers=2 disable=uring; do
        mkdir -p "$TEST_TMP/d"
        refused "file size limit" "write $TEST_TMP/d/image.temp: File too large; raise*" "$TEST_TMP/d/image" random:8 gzip=0 fsize=3000000 $way $uring
        refused "file size limit" "write $TEST_TMP/d/image.temp: File too large; raise*" "$TEST_TMP/d/image" random:8 gzip=1 fsize=3000000 $way $uring
        rmdir "$TEST_TMP/d" || fail "something is left: $(ls "$TEST_TMP/d")"
    done
    refused "no directory" "create $TEST_TMP/none/image.temp: No such file or directory; choose*" "$TEST_TMP/none/image" array:1 $way
    mkdir -p "$TEST_TMP/d/image.temp"
    refused "a directory in the way" "create $TEST_TMP/d/image.temp: Is a directory; remove*" "$TEST_TMP/d/image" array:1 $way
    rmdir "$TEST_TMP/d/image.temp"
    ln -s /etc/nothing "$TEST_TMP/d/image.temp"
    refused "a link in the way" "create $TEST_TMP/d/image.temp: Too many levels*; remove*" "$TEST_TMP/d/image" array:1 $way
    rm "$TEST_TMP/d/image.temp"
    mkfifo "$TEST_TMP/d/image.temp"
    refused "a FIFO in the way" "create $TEST_TMP/d/image.temp: *" "$TEST_TMP/d/image" array:1 $way
    rm "$TEST_TMP/d/image.temp"
    rmdir "$TEST_TMP/d" || fail "something is left: $(ls "$TEST_TMP/d")"
done

# A full disk, where a mount can be had.
mkdir -p "$TEST_TMP/full"
export TEST_TMP write
unshare -rm true 2>/dev/null || { echo "full disk: not tried, no mount permitted"; exit 0; }
unshare -rm bash -c '
    mount -t tmpfs -o size=4m none "$TEST_TMP/full" || exit 0
    for way in writers=2 disable=uring snapshot=never; do
        line=$("$write" "$TEST_TMP/full/image" random:16 gzip=0 $way)
        status=$?
        echo "full disk: $line"
        [ $status = 3 ] || exit 1
        [[ $line == "write $TEST_TMP/full/image.temp: No space left on device; make room"* ]] || exit 1
        [ -z "$(ls "$TEST_TMP/full")" ] || exit 1
    done' || fail "full disk"
