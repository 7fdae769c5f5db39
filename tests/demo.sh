#!/bin/bash
# make demo: a Python program with four threads counts; it is checkpointed, killed and restarted, and goes on from where it was.
#   demo.sh BUILD
set -eu
PATH=$(cd "$1" && pwd)/bin:$PATH
dir=$(mktemp -d "${TMPDIR:-/tmp}/dmtcp-demo.XXXXXX")
export DMTCP_TMPDIR=$dir DMTCP_CHECKPOINT_DIR=$dir DMTCP_COORD_HOST=localhost
program=
# The interpreter itself: python3 may be a script that picks one, and a program's exec is not followed yet.
python=$(python3 -c 'import sys; print(sys.executable)')

cleanup() {
    local status=$?
    trap - EXIT
    dmtcp_command -q >/dev/null 2>&1 || true
    { [ -z "$program" ] || kill -9 "$program"; wait; } 2>/dev/null || true
    rm -rf "$dir"
    [ $status = 0 ] || echo "demo: FAILED"
    exit $status
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

fail() {
    echo "demo: $*"
    sed 's/^/    /' "$dir"/*.err 2>/dev/null
    exit 1
}

show() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }

# until_file FILE: waits for it, as long as the program lives.
until_file() {
    until [ -s "$1" ]; do
        kill -0 "$program" 2>/dev/null || [ -s "$1" ] || fail "the program has ended"
        sleep 0.05
    done
}

# Each thread says what it has counted to, in its own memory; the main thread adds up. `stage` lets the demo wait for a state, not for a time.
cat >"$dir/count.py" <<'PYTHON'
import os, sys, threading, time

stage = sys.argv[1]
counts = [0] * 4
stop = False

def count(n):
    while not stop:
        counts[n] += 1
        time.sleep(0.001 * (n + 1))

threads = [threading.Thread(target=count, args=(n,)) for n in range(4)]
for t in threads:
    t.start()
while not os.path.exists(stage + "/end"):
    if min(counts) >= 100:
        line = " ".join(map(str, counts))
        with open(stage + "/new", "w") as f:
            f.write(line + "\n")
        os.rename(stage + "/new", stage + "/counts")
    time.sleep(0.01)
stop = True
for t in threads:
    t.join()
print("the four threads counted to", *counts, "- all by one process that was killed on the way")
PYTHON

show "dmtcp_launch python3 count.py &"
dmtcp_launch --new-coordinator --port-file "$dir/port" "$python" "$dir/count.py" "$dir" </dev/null >"$dir/out" 2>"$dir/launch.err" &
program=$!
until_file "$dir/counts"
until read -r _ _ _ slowest <"$dir/counts" && [ "$slowest" -ge 150 ]; do sleep 0.05; done # more than one that begins anew first says
DMTCP_COORD_PORT=$(cat "$dir/port")
export DMTCP_COORD_PORT
before=$(cat "$dir/counts")
echo "it runs, its four threads have counted to: $before"

show "dmtcp_command --bcheckpoint"
dmtcp_command --bcheckpoint 2>"$dir/command.err" || fail "no checkpoint"
image=$(echo "$dir"/ckpt_*.dmtcp)
echo "an image of $(stat -c %s "$image") bytes: $(basename "$image")"

show "kill -9 $program"
{ kill -9 "$program" && wait "$program"; } 2>/dev/null || true # without bash's own remark
killed=$(cat "$dir/counts")
rm "$dir/counts"
echo "gone; it had got to: $killed"

show "dmtcp_restart ckpt_*.dmtcp &"
# The first coordinator may have ended with its last process; a new one may then take the same port.
dmtcp_restart "$image" </dev/null 2>"$dir/restart.err" &
program=$!
until_file "$dir/counts"
after=$(cat "$dir/counts")
echo "it runs again, and its first words are: $after"
[ "${after##* }" -ge "${before##* }" ] || fail "it began from the start"

: >"$dir/end"
wait "$program" || fail "the program ended with status $?"
program=
cat "$dir/out"
printf '\n\033[1mdemo: it went on from where it was.\033[0m\n'
