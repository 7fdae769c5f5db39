#!/bin/bash
# variants: root unpriv
# Without a coordinator one is started in the background: one for all that start at the same moment; it ends with its last program, and leaves nothing.
. "$TESTS/lib.sh"
export DMTCP_TMPDIR=$TEST_TMP
unset DMTCP_COORD_PORT DMTCP_COORD_HOST
scratch() { ls dmtcp-*@*; }

# The program's output ends with the program, although the coordinator lives on: it holds none of our descriptors.
mkfifo pipe
dmtcp_launch --new-coordinator --port-file port -c "$IMAGES" sh -c 'echo started; read -r line <pipe; echo "$line"' >out 2>err &
PROGRAM=$!
await_program "the port file" test -s port
[ "$(tail -c 1 port | wc -l)" = 0 ] || fail "the port file ends with a newline"
export DMTCP_COORD_PORT=$(cat port)
await_program "the program" test -s out
dmtcp_command -s >status || fail "dmtcp_command -s"
grep -q 'NUM_PEERS=1' status || fail "$(cat status)"
said=$(timeout 20 dmtcp_launch echo hello 2>&1) || fail "a second program: $said"
[ "$said" = hello ] || fail "said: $said"
echo done >pipe
wait $PROGRAM || fail "exit code $?: $(cat err)"
[ "$(cat out)" = $'started\ndone' ] || fail "out: $(cat out)"
[ ! -s err ] || fail "err: $(cat err)"
gone() { ! dmtcp_command -s >/dev/null 2>&1; }
await "the coordinator's end" gone
[ "$(scratch)" = '' ] || fail "left in the scratch directory: $(scratch)"

# Ten at once on one free port. None ends before all have started, or the coordinator would go with it.
mkdir here
mkfifo go
pids=
for i in 1 2 3 4 5 6 7 8 9 10; do
    dmtcp_launch -q sh -c ": >here/$i; read line <go" >out.$i 2>err.$i &
    pids="$pids $!"
done
all() { [ "$(ls here | wc -l)" = 10 ]; }
await "ten programs" all
dmtcp_command -s >status || fail "dmtcp_command -s"
grep -q 'NUM_PEERS=10' status || fail "not all are with one coordinator: $(cat status)"
dmtcp_command -k >/dev/null || fail "dmtcp_command -k"
for pid in $pids; do
    wait "$pid"
    status=$?
    [ $status = 137 ] || fail "a program that was killed: status $status"
done
cat err.* >all.err
[ ! -s all.err ] || fail "messages: $(cat all.err)"
await "the coordinator's end" gone
[ "$(scratch)" = '' ] || fail "left in the scratch directory: $(scratch)"
