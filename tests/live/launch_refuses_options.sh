#!/bin/bash
# variants: root unpriv
# Options and variables that make no sense: one line that names them, exit code 99 or what DMTCP_FAIL_RC says. Nothing is started.
. "$TESTS/lib.sh"
. "$TESTS/cmds/refused.sh"
export DMTCP_COORD_PORT=1 # must not be reached

refused 99 'no command' dmtcp_launch
refused 99 'no command' dmtcp_launch --
refused 99 'unknown option --nonsense' dmtcp_launch --nonsense true
refused 99 'unknown option -z' dmtcp_launch -z true
refused 99 'unknown option -z' dmtcp_launch -jz true
refused 99 'option -p needs a value' dmtcp_launch -p
refused 99 'option --ckptdir needs a value' dmtcp_launch --ckptdir
refused 99 'option --gzip=1 takes no value' dmtcp_launch --gzip=1 true
refused 99 '--coord-port abc: must be a number' dmtcp_launch -p abc true
refused 99 '--coord-port 65536: must be a number' dmtcp_launch -p65536 true
refused 99 '--interval -1: must be a number' dmtcp_launch -i -1 true
refused 99 '--ckptdir : must not be empty' dmtcp_launch -c '' true
refused 99 '--ckpt-signal 9: ' dmtcp_launch --ckpt-signal 9 true
refused 99 '--ckpt-signal 65: ' dmtcp_launch --ckpt-signal 65 true
refused 99 'contradicts' dmtcp_launch --join --new-coordinator true
refused 99 'needs the port' dmtcp_launch --join -p 0 true
for option in --modify-env --pathvirt '--with-plugin /tmp/x.so'; do
    refused 99 'not available in this version' dmtcp_launch $option true
done

refused 99 'DMTCP_COORD_PORT=abc: must be a number' env DMTCP_COORD_PORT=abc dmtcp_launch true
refused 99 'DMTCP_PORT=abc: must be a number' env -u DMTCP_COORD_PORT DMTCP_PORT=abc dmtcp_launch true
refused 99 'DMTCP_CHECKPOINT_INTERVAL=soon: ' env DMTCP_CHECKPOINT_INTERVAL=soon dmtcp_launch true
refused 99 'DMTCP_GZIP=yes: must be 0 or 1' env DMTCP_GZIP=yes dmtcp_launch true
refused 99 'DMTCP_GZIP_LEVEL=17: must be a number from 1 to 9' env DMTCP_GZIP_LEVEL=17 dmtcp_launch true
refused 99 'DMTCP_SNAPSHOT=often: must be one of auto\|always\|never' env DMTCP_SNAPSHOT=often dmtcp_launch true
refused 99 'DMTCP_LOG_LEVEL=loud: ' env DMTCP_LOG_LEVEL=loud dmtcp_launch true
refused 99 "DMTCP_DISABLE=uring,gravity: 'gravity'" env DMTCP_DISABLE=uring,gravity dmtcp_launch true
refused 99 'DMTCP_PLUGIN=.* not available' env DMTCP_PLUGIN=/tmp/x.so dmtcp_launch true
refused 99 'DMTCP_FAIL_RC=1000: ' env DMTCP_FAIL_RC=1000 dmtcp_launch true
refused 7 'unknown option' env DMTCP_FAIL_RC=7 dmtcp_launch --nonsense true

refused 99 'no image' dmtcp_restart
refused 99 'unknown option --nonsense' dmtcp_restart --nonsense x.dmtcp
refused 99 'unknown option --with-plugin' dmtcp_restart --with-plugin x x.dmtcp
refused 99 '--debug-restart-pause long: ' dmtcp_restart --debug-restart-pause long x.dmtcp
refused 99 'unknown option --nonsense' dmtcp_restart x.dmtcp --nonsense # after an image, too
refused 99 'no command' dmtcp_nocheckpoint
refused 99 'unknown option' dmtcp_nocheckpoint --nonsense true

# A directory that can't be written, with the way out.
refused 99 "$TEST_TMP/no/images: No such file.*--ckptdir" dmtcp_launch -c "$TEST_TMP/no/images" true
: >file
refused 99 'file: Not a directory.*--ckptdir' dmtcp_launch -c file true
refused 99 '/proc: no file can be written there.*--ckptdir' env DMTCP_CHECKPOINT_DIR=/proc dmtcp_launch true
if [ "$(id -u)" != 0 ]; then
    mkdir -m 500 closed
    refused 99 'closed: no file can be written there: Permission denied' dmtcp_launch -c closed true
    refused 99 'scratch directory .*closed.*Permission denied.*--tmpdir' dmtcp_launch --tmpdir closed true
fi
refused 99 'scratch directory .*--tmpdir' dmtcp_launch --tmpdir "$TEST_TMP/nowhere" true

# What goes to standard output and succeeds.
for command in dmtcp_launch dmtcp_restart dmtcp_nocheckpoint; do
    $command --help >out 2>err || fail "$command --help: exit code $?"
    grep -q "^usage: $command" out && [ ! -s err ] || fail "$command --help"
    $command --version >out 2>err || fail "$command --version: exit code $?"
    head -n1 out | grep -Eq "^$command \(DMTCP\) [0-9]+\.[0-9]+" || fail "$command --version: $(cat out)"
done
