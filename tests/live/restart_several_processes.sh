#!/bin/bash
# variants: root unpriv
# Two programs of one computation come back together or not at all; an interrupted COMMIT is finished; a second restart is refused while they run.
. "$TESTS/lib.sh"
. "$TESTS/cmds/refused.sh"
mkdir a b
start_coordinator
for each in a b; do
    (STEP_DIR=$TEST_TMP/$each exec dmtcp_launch --join "$B/tests/live/ends_as_told") </dev/null >$each.out 2>$each.err &
    eval $each=$!
done
at() { [ "$(cat "$1/ready" 2>/dev/null)" = "$2" ]; }
both_at() { at a "$1" && at b "$1"; }
await "both" both_at 1
checkpoint
[ "$(images | wc -l)" = 2 ] || fail "images: $(images)"
mkdir old && cp "$IMAGES"/ckpt_*.dmtcp old
for each in a b; do echo say >$each/how; : >$each/go.1; done
await "both" both_at 2
checkpoint
refused 99 'coordinator refuses the restart: the computation is still running' dmtcp_restart $(images)
both_at 2 || fail "the programs noticed a refused restart"

kill -9 $a $b
wait $a $b
PROGRAM=
first=$(images | head -n1) second=$(images | tail -n1)
refused 99 "1 of the set's 2 images are missing: $second belongs to it" dmtcp_restart "$first"
refused 99 "is of checkpoint 1, but .* of checkpoint 2" dmtcp_restart "$first" "old/${second##*/}"

# The host went down between two renames, and the old image of one still has the final name.
mv "$second" "$second.temp"
cp "old/${second##*/}" "$second"
restart
for each in a b; do : >$each/go.2; done
await_program "both processes" both_at 3
[ ! -e "$second.temp" ] || fail "the temporary image has not got its final name"
for each in a b; do echo 'exit 3' >$each/how; done
# The first image's program ends; dmtcp_restart waits for the other.
: >a/go.3
ended_but_one() { [ "$(program_pids | wc -l)" = 1 ]; }
await "the end of one" ended_but_one
ended "$PROGRAM" && fail "dmtcp_restart has not waited for the other one"
: >b/go.3
await "the end" ended "$PROGRAM"
wait "$PROGRAM"
status=$?
[ $status = 3 ] || fail "status $status instead of 3; said: $(cat restart.err)"

# One of them can't come back: neither does.
size=$(stat -c %s "$second")
python3 - "$second" <<'PYTHON' || fail "damage"
import sys
with open(sys.argv[1], "r+b") as f:  # in the first chunk of memory, behind the header's member
    f.seek(8000)
    f.write(b"damaged damaged damaged")
PYTHON
[ "$(stat -c %s "$second")" = "$size" ] || fail "the damage changed the size"
rm -f [ab]/ready [ab]/go.3
for each in a b; do echo say >$each/how; done # go.2 is there: who runs, says that it is ready for step 3
timeout 60 dmtcp_restart $(images) >out 2>err </dev/null
status=$?
[ $status = 101 ] || fail "damaged memory: status $status: $(cat err)"
[ "$(wc -l <err)" = 1 ] || fail "not one line: $(cat err)"
grep -q "${second##*/}.* is damaged" err || fail "said: $(cat err)"
[ ! -e a/ready ] && [ ! -e b/ready ] || fail "half a restart"
stop_coordinator
