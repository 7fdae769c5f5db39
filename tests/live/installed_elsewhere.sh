#!/bin/bash
# make install lays down what works from there; make uninstall takes all of it away again.
. "$TESTS/lib.sh"
need make
source=$(dirname "$TESTS")
make -s -C "$source" B="$B" install PREFIX=/opt/dmtcp DESTDIR="$TEST_TMP/root" >make.out 2>&1 || fail "make install: $(cat make.out)"
PATH=$TEST_TMP/root/opt/dmtcp/bin:$PATH
for page in "$source"/man/*.1; do
    [ -f "root/opt/dmtcp/share/man/man1/$(basename "$page")" ] || fail "no page $(basename "$page")"
done
for command in "$B"/bin/*; do
    [ "$(type -P "$(basename "$command")")" = "$TEST_TMP/root/opt/dmtcp/bin/$(basename "$command")" ] || fail "no command $(basename "$command")"
done
export DMTCP_TMPDIR=$TEST_TMP
[ "$(dmtcp_launch --new-coordinator --port-file port sh -c 'grep -o "/.*libckpt.so" /proc/$$/maps | sort -u')" = "$TEST_TMP/root/opt/dmtcp/lib/dmtcp/libckpt.so" ] ||
    fail "dmtcp_launch does not use the library beside it"

# Moved as a whole, it works; but LD_PRELOAD can't hold a blank.
mv root/opt/dmtcp moved
PATH=$TEST_TMP/moved/bin:$PATH
dmtcp_launch --new-coordinator --port-file port true || fail "moved: exit code $?"
mkdir 'a blank' && mv moved 'a blank/dmtcp'
"a blank/dmtcp/bin/dmtcp_launch" true 2>err
status=$?
[ $status = 99 ] || fail "a blank in the path: exit code $status"
grep -q 'spaces or colons; install DMTCP elsewhere' err || fail "said: $(cat err)"
mv 'a blank/dmtcp' root/opt/dmtcp

make -s -C "$source" B="$B" uninstall PREFIX=/opt/dmtcp DESTDIR="$TEST_TMP/root" >make.out 2>&1 || fail "make uninstall: $(cat make.out)"
left=$(find root -type f)
[ ! "$left" ] || fail "left: $left"
[ ! -e root/opt/dmtcp/lib/dmtcp ] || fail "left: lib/dmtcp"
