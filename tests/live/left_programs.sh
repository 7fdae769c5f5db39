#!/bin/bash
# Programs that can't be checkpointed and are started by one that can: they run as ever, outside the computation, and no checkpoint waits for them.
# variants: root unpriv
. "$TESTS/lib.sh"
need gcc
echo '#include <unistd.h>
int main(void) { pause(); }' >wait.c
gcc -static -o static wait.c || fail "gcc -static"
# A dynamic linker of another C library's name; this one takes the program's place, and waits as well.
mkdir lib
echo 'void _start(void) { for (;;) __asm__ volatile("syscall" : : "a"(34L /* pause */) : "rcx", "r11", "memory"); }' >linker.c
gcc -nostdlib -static -o lib/ld-musl-x86_64.so.1 linker.c || fail "gcc -nostdlib"
gcc -pie -fPIE -o musl wait.c -Wl,--dynamic-linker="$TEST_TMP/lib/ld-musl-x86_64.so.1" || fail "gcc"
cat >start.sh <<'EOF'
./static & one=$!
./musl & two=$!
for n in 1 2; do
    echo $n >"$STEP_DIR/ready.new" && mv "$STEP_DIR/ready.new" "$STEP_DIR/ready"
    until [ -e "$STEP_DIR/go.$n" ]; do read -rt 0.02 <>idle; done
    kill -0 $one && kill -0 $two || exit 1
done
kill $one $two
EOF
mkfifo idle
start_coordinator
launch bash start.sh
await_step 1 "they run"
checkpoint
[ "$(images | wc -l)" = 1 ] || fail "images: $(images)"
go 1
await_step 2 "they run on"
go 2
finish
stop_coordinator
