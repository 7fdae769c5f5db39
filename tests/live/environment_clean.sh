#!/bin/bash
# The program sees the environment, the descriptors and the limits that it would see without us.
# variants: root unpriv
. "$TESTS/lib.sh"
look='env | grep -v ^_= | sort; ls /proc/self/fd; ulimit -a; trap; cat /proc/self/status | grep -E "^(Sig(Blk|Ign)|NoNewPrivs|Seccomp|Cap)"; umask'
start_coordinator
for preload in "" /nonexistent/mine.so; do
    rm -f plain.txt under.txt
    (
        [ ! "$preload" ] || export LD_PRELOAD=$preload
        bash -c "$look" >plain.txt 2>/dev/null
        dmtcp_launch --join bash -c "$look" >under.txt 2>program.err
    )
    diff plain.txt under.txt || fail "seen under dmtcp_launch with LD_PRELOAD=\"$preload\": $(diff plain.txt under.txt | grep -m1 '^[<>]')"
done
[ -s under.txt ] || fail "the program said nothing"
stop_coordinator
