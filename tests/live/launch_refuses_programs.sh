#!/bin/bash
# variants: root unpriv
# Programs that can't be checkpointed are refused at once, each with one line that says why.
. "$TESTS/lib.sh"
. "$TESTS/cmds/refused.sh"
export DMTCP_COORD_PORT=1 # must not be reached

refused 99 'nosuchprogram: no such program in PATH' dmtcp_launch nosuchprogram
refused 99 './nosuchprogram: No such file' dmtcp_launch ./nosuchprogram
refused 99 'name is empty' dmtcp_launch ''
refused 99 '/tmp: is a directory' dmtcp_launch /tmp
refused 99 '/dev/null: is no regular file' dmtcp_launch /dev/null

cp "$(type -P true)" plain && chmod 644 plain
refused 99 './plain: is not executable' dmtcp_launch ./plain
refused 99 'plain: is not executable' env PATH="$TEST_TMP:$PATH" dmtcp_launch plain

# A header is all that execve(2) looks at to tell a 32-bit program, or one for aarch64 (machine 183), from ours.
printf '\177ELF\1\1\1\0\0\0\0\0\0\0\0\0\2\0\3\0\1\0\0\0%40s' '' >bits32 && chmod +x bits32
refused 99 './bits32: is a 32-bit program' dmtcp_launch ./bits32
printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\267\0\1\0\0\0%40s' '' >arm && chmod +x arm
refused 99 './arm: is a program for another machine \(ELF machine 183\)' dmtcp_launch ./arm
printf '\177ELF\2\1\1' >stump && chmod +x stump
refused 99 './stump: is a cut-off ELF file' dmtcp_launch ./stump
printf '\1\0\2\3' >bytes && chmod +x bytes
refused 99 './bytes: is neither an ELF program nor a script' dmtcp_launch ./bytes

echo 'int main(void) { return 0; }' >main.c
gcc -static -o static main.c 2>/dev/null || fail "gcc -static"
refused 99 './static: is statically linked' dmtcp_launch ./static
gcc -static-pie -o static_pie main.c 2>/dev/null || fail "gcc -static-pie"
refused 99 './static_pie: is statically linked' dmtcp_launch ./static_pie
gcc -o lost main.c -Wl,--dynamic-linker=/nosuch/ld.so || fail "gcc"
refused 99 './lost: its dynamic linker /nosuch/ld.so: No such file' dmtcp_launch ./lost

# Scripts are what their interpreter is.
script() { printf '#!%s\n' "$2" >"$1" && chmod +x "$1"; }
script by_static "$TEST_TMP/static -x"
refused 99 "./by_static \(its interpreter $TEST_TMP/static\): is statically linked" dmtcp_launch ./by_static
script nested "$TEST_TMP/by_static"
refused 99 './nested .*is statically linked' dmtcp_launch ./nested
script by_none /nosuch/interpreter
refused 99 './by_none \(its interpreter /nosuch/interpreter\): No such file' dmtcp_launch ./by_none
script by_env '/usr/bin/env static'
refused 99 './by_env .*is statically linked' env PATH="$TEST_TMP:$PATH" dmtcp_launch ./by_env
script circle "$TEST_TMP/circle"
refused 99 './circle: .*circle' dmtcp_launch ./circle
printf '#!  \n' >nameless && chmod +x nameless
refused 99 './nameless: names no interpreter' dmtcp_launch ./nameless

# Another's setuid bit changes the identity; one's own does not.
if [ "$(id -u)" = 0 ]; then
    cp plain setuid && chown 65534 setuid && chmod 4755 setuid
    cp plain setgid && chown 0:65534 setgid && chmod 2755 setgid
    refused 99 './setuid: is a setuid program' dmtcp_launch ./setuid
    refused 99 './setgid: is a setgid program' dmtcp_launch ./setgid
    script by_setuid "$TEST_TMP/setuid"
    refused 99 './by_setuid .*is a setuid program' dmtcp_launch ./by_setuid
elif ! grep -q '^NoNewPrivs:.*1' /proc/self/status; then
    program=$(find -L /bin /usr/bin -maxdepth 1 -perm -4001 -user root 2>/dev/null | head -n1)
    [ -z "$program" ] || refused 99 "$program: is a setuid program" dmtcp_launch "$program"
fi
