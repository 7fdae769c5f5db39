#!/bin/bash
# variants: root unpriv
# Images that are not one complete checkpoint: the line says which one is missing, foreign, or too many; nothing is started.
. "$TESTS/lib.sh"
. "$TESTS/cmds/refused.sh"
export DMTCP_COORD_PORT=1 # must not be reached
good='no coordinator' # the set was found to be complete
mkdir set && cd set || exit

craft ckpt_a.dmtcp pid=1 processes=2
refused 99 "1 of the set's 2 images are missing.*ckpt_a.dmtcp" dmtcp_restart ckpt_a.dmtcp
craft ckpt_b.dmtcp pid=2 processes=2
refused 99 "1 of the set's 2 images are missing: ckpt_b.dmtcp belongs to it" dmtcp_restart ckpt_a.dmtcp
refused 100 "$good" dmtcp_restart --join ckpt_a.dmtcp ckpt_b.dmtcp
refused 99 'ckpt_a.dmtcp is given twice' dmtcp_restart ckpt_a.dmtcp ckpt_a.dmtcp
cp ckpt_a.dmtcp ckpt_copy.dmtcp
refused 99 'ckpt_a.dmtcp and ckpt_copy.dmtcp are images of the same process' dmtcp_restart ckpt_a.dmtcp ckpt_copy.dmtcp
rm ckpt_copy.dmtcp

craft other.dmtcp pid=2 processes=2 computation=77
refused 99 'ckpt_a.dmtcp is of computation 1-1-1, but other.dmtcp of 1-77-1' dmtcp_restart ckpt_a.dmtcp other.dmtcp
craft old.dmtcp pid=2 processes=2 generation=1
craft new.dmtcp pid=1 processes=2 generation=2
refused 99 'old.dmtcp is of checkpoint 1, but new.dmtcp of checkpoint 2' dmtcp_restart old.dmtcp new.dmtcp
craft three.dmtcp pid=2 processes=3
refused 99 'ckpt_a.dmtcp is of a set of 2 processes, but three.dmtcp of one of 3' dmtcp_restart ckpt_a.dmtcp three.dmtcp
rm other.dmtcp old.dmtcp new.dmtcp three.dmtcp

# All below a directory, links to elsewhere not followed.
mkdir -p deep/er && mv ckpt_a.dmtcp deep && mv ckpt_b.dmtcp deep/er
refused 100 "$good" dmtcp_restart --join --restartdir deep
refused 100 "$good" dmtcp_restart --join -r .
refused 99 "1 of the set's 2 images" dmtcp_restart -r deep/er

# A checkpoint that never got as far as COMMIT.
mkdir early && craft early/ckpt_a.dmtcp.temp
refused 99 'ckpt_a.dmtcp.temp: its checkpoint was never completed' dmtcp_restart early/ckpt_a.dmtcp.temp
refused 99 'never completed' dmtcp_restart -r early

# One that went down in the middle of it: what is still temporary counts, once one image has its final name.
mkdir half && cd half || exit
craft ckpt_a.dmtcp pid=1 processes=3 generation=2
craft ckpt_b.dmtcp pid=2 processes=3 generation=1
craft ckpt_b.dmtcp.temp pid=2 processes=3 generation=2
craft ckpt_c.dmtcp.temp pid=3 processes=3 generation=2
refused 100 "$good" dmtcp_restart --join ckpt_*.dmtcp
refused 100 "$good" dmtcp_restart --join ckpt_b.dmtcp ckpt_a.dmtcp ckpt_c.dmtcp
refused 100 "$good" dmtcp_restart --join --restartdir .
[ -e ckpt_c.dmtcp.temp ] || fail "renamed although nothing was restarted"
craft ckpt_b.dmtcp.temp pid=2 processes=3 generation=1
refused 99 'ckpt_b.dmtcp is of checkpoint 1, but ckpt_a.dmtcp of checkpoint 2' dmtcp_restart ckpt_*.dmtcp

# The next one has only just begun: the old one is complete.
mkdir ../begun && cd ../begun || exit
craft ckpt_a.dmtcp pid=1 processes=2 generation=1
craft ckpt_b.dmtcp pid=2 processes=2 generation=1
craft ckpt_a.dmtcp.temp pid=1 processes=2 generation=2
craft whole pid=2 processes=2 generation=2 && head -c 5000 whole >ckpt_b.dmtcp.temp && rm whole
refused 100 "$good" dmtcp_restart --join ckpt_*.dmtcp

# A process that ended before the newest checkpoint has left an image that the pattern matches: not of the set, and not in its way.
mkdir ../left && cd ../left || exit
craft ckpt_a.dmtcp pid=1 processes=2 generation=3
craft ckpt_b.dmtcp pid=2 processes=2 generation=3
craft ckpt_c.dmtcp pid=3 processes=3 generation=2
refused 100 "$good" dmtcp_restart -q --join ckpt_*.dmtcp
DMTCP_LOG_LEVEL=2 dmtcp_restart --join ckpt_*.dmtcp 2>&1 | grep -q '1 image of earlier checkpoints left out: ckpt_c.dmtcp' ||
    fail "what was left out is not named: $(dmtcp_restart --join ckpt_*.dmtcp 2>&1)"
