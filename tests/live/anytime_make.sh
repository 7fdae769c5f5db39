#!/bin/bash
# variants: unpriv
# limit: 240
# make -j4 builds a program of 32 files with gcc, checkpointed anywhere; the program does what that of an undisturbed build does.
. "$TESTS/lib.sh"
. "$TESTS/live/anytime.bash"
need make gcc

prepare() {
    local i
    for ((i = 1; i <= 32; i++)); do
        printf '#include <stddef.h>\n#include "all.h"\nint f%d(int n)\n{\n    size_t m = 0;\n    for (int i = 0; i < n; i++)\n        m += (size_t)i %% %d;\n    return (int)m;\n}\n' $i $i >f$i.c
        echo "int f$i(int n);" >>all.h
    done
    {
        echo '#include <stdio.h>'
        echo '#include "all.h"'
        echo 'int main(void) {'
        for ((i = 1; i <= 32; i++)); do echo "printf(\"%d\\n\", f$i($i * 100));"; done
        echo 'return 0; }'
    } >main.c
    # One line for each step, in an order of its own: which comes first is not the same in two builds.
    cat >Makefile <<'MAKE'
objects := $(patsubst %.c,%.o,$(sort $(wildcard *.c)))
program: $(objects)
	@gcc -o $@ $^ && echo done
%.o: %.c all.h
	@gcc -O1 -c -o $@ $< && echo one more
MAKE
}
verify() { ./program; ls *.[coh]; }
anytime make -j4
