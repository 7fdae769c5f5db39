#!/bin/bash
# variants: root unpriv
# Arguments, environment, descriptors and signal settings of a launched program are those it would have without us.
. "$TESTS/lib.sh"
start_coordinator

# What a shell sees of itself, by builtins and by reading its own /proc; $PPID and the like aside.
cat >look.sh <<'SH'
printf '%s\n' "$0" "$@"
echo "umask $(umask)"
export -p | grep -v '^declare -x _=' | sort
for fd in /proc/$$/fd/*; do
    [ -e "$fd" ] && echo "${fd##*/} $(readlink "$fd")"
done | grep -v '^255 \|pipe:'
grep '^SigBlk\|^SigIgn\|^Groups\|^NoNewPrivs\|^Seccomp:\|^CapEff' /proc/$$/status
ulimit -a
SH
# `env -i`-like extremes, an LD_PRELOAD of the user's own, an ignored and a blocked signal, an extra descriptor, a closed one.
look() {
    (
        trap '' USR2
        umask 027
        exec 7<"$TESTS/lib.sh" 9>>nine
        export EMPTY= SPACED='a b' NEWLINE=$'a\nb' LD_PRELOAD="$1"
        shift
        exec "$@"
    )
}
for preload in '' "$(ldd "$(type -P bash)" | sed -n 's/.*=> \(.*libc.so.6\) .*/\1/p')"; do
    look "$preload" "$(type -P bash)" look.sh one 'two  three' '' >plain.out 2>plain.err </dev/null
    look "$preload" dmtcp_launch --join "$(type -P bash)" look.sh one 'two  three' '' >launched.out 2>launched.err </dev/null
    sed -i 's/launched\.\(out\|err\)/plain.\1/' launched.out
    diff plain.out launched.out || fail "it sees something else"
    [ ! -s launched.err ] || fail "a message: $(cat launched.err)"
done

# Standard descriptors that are closed stay closed.
closed() { "$@" "$(type -P bash)" -c 'for n in 0 1 2; do [ -e /proc/$$/fd/$n ] && echo "$n is open" >>"$TEST_TMP/open"; done; :' <&- >&- 2>&-; }
export TEST_TMP
closed env
[ ! -e open ] || fail "the test itself: $(cat open)"
closed dmtcp_launch --join || fail "with closed descriptors: exit code $?"
[ ! -e open ] || fail "$(cat open)"

# Not found by /proc or the environment of a child either; and dmtcp_nocheckpoint does not mind.
said=$(dmtcp_launch --join bash -c 'env | grep "DMTCP_LAUNCHED\|libckpt"; dmtcp_nocheckpoint echo "$@"' x a b)
[ "$said" = 'a b' ] || fail "said: $said"
said=$(LD_PRELOAD="/nosuch/libckpt.so:" DMTCP_LAUNCHED=x dmtcp_nocheckpoint env 2>/dev/null | grep -c 'LD_PRELOAD\|DMTCP_LAUNCHED')
[ "$said" = 0 ] || fail "dmtcp_nocheckpoint leaves our variables"
stop_coordinator
