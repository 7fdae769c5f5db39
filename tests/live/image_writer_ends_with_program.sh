#!/bin/bash
# A program that is killed while its image is being written takes its writers with it, and no temporary file stays. One that gives its image
# up goes on without it.
set -u
write="$B/tests/writer/write_image"
mkdir "$TEST_TMP/d"

for writers in 1 3; do
    # Compressing so much takes long enough that the writers are at it when their parent goes.
    "$write" "$TEST_TMP/d/image" text:192 level=9 writers=$writers end=kill >"$TEST_TMP/pids" 2>&1
    [ $? = 137 ] || { echo "not killed: $(cat "$TEST_TMP/pids")"; exit 1; }
    read -r writer <"$TEST_TMP/pids"
    end=$((SECONDS + 30))
    while [ -e /proc/$writer ] && ! grep -q '^State:.Z' /proc/$writer/status 2>/dev/null; do
        [ $SECONDS -lt $end ] || { echo "writer $writer lives on"; exit 1; }
        sleep 0.01
    done
    [ -z "$(ls "$TEST_TMP/d")" ] || { echo "left behind: $(ls "$TEST_TMP/d")"; exit 1; }
done

for way in snapshot=auto snapshot=never; do
    "$write" "$TEST_TMP/d/image" text:16 end=discard $way || exit 1
    [ -z "$(ls "$TEST_TMP/d")" ] || { echo "left behind: $(ls "$TEST_TMP/d")"; exit 1; }
done
