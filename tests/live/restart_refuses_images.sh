#!/bin/bash
# variants: root unpriv
# Files that are no image, or none that can be restarted here: one line that names the file, exit code 99, and no coordinator is started.
. "$TESTS/lib.sh"
. "$TESTS/cmds/refused.sh"
export DMTCP_COORD_PORT=1 # must not be reached

refused 99 'ckpt_no.dmtcp: No such file' dmtcp_restart ckpt_no.dmtcp
refused 99 '/tmp: is a directory.*--restartdir' dmtcp_restart /tmp
: >empty && refused 99 'empty: is empty' dmtcp_restart empty
refused 99 '/etc/passwd: is not a checkpoint image' dmtcp_restart /etc/passwd
mkfifo fifo && refused 99 'fifo: is not a regular file' dmtcp_restart fifo
echo hello | gzip >foreign.gz && refused 99 'foreign.gz: is not a checkpoint image' dmtcp_restart foreign.gz
[ "$(id -u)" = 0 ] || { craft closed && chmod 0 closed && refused 99 'closed: Permission denied' dmtcp_restart closed; }

for gzip in 0 1; do
    craft whole gzip=$gzip
    size=$(stat -c %s whole)
    for length in 1 20 100 1000 $((size / 2)) $((size - 1)); do
        head -c $length whole >cut
        refused 99 'cut: is (not a checkpoint image|cut off|damaged)' dmtcp_restart cut
    done
    (cat whole && echo more) >longer
    refused 99 'longer: is damaged' dmtcp_restart longer
    # One bit anywhere outside the page of memory (which the loader checks) and the padding before the first section.
    python3 - whole <<'PYTHON' || fail "no damaged images"
import sys
data = open(sys.argv[1], "rb").read()
step = max(1, len(data) // 60)
for n, at in enumerate(range(7, len(data), step)):
    changed = bytearray(data)
    changed[at] ^= 1 << n % 8
    open(f"flipped_{at}", "wb").write(changed)
PYTHON
    accepted=0
    for flipped in flipped_*; do
        at=${flipped#flipped_}
        # Memory is loaded, and checked, only by the process itself: then the coordinator is asked first.
        timeout 60 dmtcp_restart --join $flipped >out 2>err
        status=$?
        [ "$(wc -l <err)" = 1 ] || fail "bit $at of $size: not one line"
        case $status in
        99) grep -q "^dmtcp_restart: $flipped: is " err || fail "bit $at of $size: $(cat err)" ;;
        100) accepted=$((accepted + 1)) ;;
        *) fail "bit $at of $size: exit code $status" ;;
        esac
    done
    [ $accepted -lt 40 ] || fail "$accepted of 60 damaged images were not noticed"
    rm flipped_*
done

craft newer version=2 && refused 99 'newer: has format version 2' dmtcp_restart newer
craft machine machine=183 && refused 99 'machine: is of another kind of machine' dmtcp_restart machine
craft pages page_size=65536 && refused 99 'pages: has pages of 65536 bytes' dmtcp_restart pages
craft others uid=$(($(id -u) + 4711)) && refused 99 'others: is of user unknown.*--no-strict-checking' dmtcp_restart others
refused 100 'no coordinator' dmtcp_restart --join --no-strict-checking others
refused 100 'no coordinator' env DMTCP_DISABLE_STRICT_CHECKING=1 dmtcp_restart --join others
craft future feature=53 # tbm: only some processors of 2012 to 2016 had it
grep -qw tbm /proc/cpuinfo || refused 99 'future: .*processor lacks \(tbm\)' dmtcp_restart future

refused 99 "--restartdir $TEST_TMP/none: No such file" dmtcp_restart -r "$TEST_TMP/none"
mkdir nothing && refused 99 '--restartdir nothing: there are no images' dmtcp_restart --restartdir nothing
