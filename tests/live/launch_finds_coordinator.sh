#!/bin/bash
# variants: root unpriv
# Who listens at the coordinator's address: nobody, something else, somebody else's coordinator, ours. Each has its message and exit code 100.
. "$TESTS/lib.sh"
. "$TESTS/cmds/refused.sh"
export DMTCP_TMPDIR=$TEST_TMP
unset DMTCP_COORD_PORT DMTCP_COORD_HOST
PORT=0

# A port where nobody listens, for the whole test: bound, but not listened on.
python3 - silent deaf <<'PYTHON' &
import socket, sys, time, os
silent, deaf = socket.socket(), socket.socket()
silent.bind(("127.0.0.1", 0))
silent.listen()
deaf.bind(("127.0.0.1", 0))
for name, s in ((sys.argv[1], silent), (sys.argv[2], deaf)):
    with open(name + ".new", "w") as f:
        f.write(str(s.getsockname()[1]))
    os.rename(name + ".new", name)
# `silent` says things that no coordinator says.
while True:
    c, _ = silent.accept()
    c.sendall(b"220 mail.example.org ESMTP ready, and a good day to you\r\n")
    c.close()
PYTHON
stranger=$!
trap 'status=$?; kill $stranger; (exit $status); cleanup' EXIT # cleanup passes the status on
await "the ports" test -s silent -a -s deaf
silent=$(cat silent) deaf=$(cat deaf)

refused 100 "no coordinator runs at localhost port $deaf; .*--join-coordinator" dmtcp_launch --join -p "$deaf" true
refused 100 "no coordinator runs at 127.0.0.1 port $deaf;" dmtcp_launch --join-coordinator --host 127.0.0.1 --port "$deaf" true
refused 100 "no coordinator runs at" env DMTCP_HOST=localhost DMTCP_PORT="$deaf" dmtcp_launch -j true
refused 8 "no coordinator runs at" env DMTCP_FAIL_RC=7 dmtcp_launch -j -p"$deaf" true
refused 100 "host nosuch.invalid: " dmtcp_launch -h nosuch.invalid true
for how in --join --any-coordinator --new-coordinator; do
    refused 100 "port $silent of localhost is in use by something that is no DMTCP coordinator; .*-p" dmtcp_launch $how -p "$silent" true
done
# Nobody answers there, but the port can't be had.
refused 100 "can't start a coordinator at localhost port $deaf: .*port $deaf" dmtcp_launch -p "$deaf" true
refused 100 "can't start a coordinator" dmtcp_launch -p 0 --coord-logfile /nosuch/log true

start_coordinator
unset DMTCP_COORD_PORT DMTCP_COORD_HOST
refused 100 "a coordinator already runs at localhost port $PORT; .*--new-coordinator" dmtcp_launch --new-coordinator -p "$PORT" true
mkdir elsewhere
refused 100 "the coordinator at localhost port $PORT is another user's.*--tmpdir.*-p" dmtcp_launch -t elsewhere -p "$PORT" true
# A secret that is not that of the coordinator.
mkdir -m 700 "elsewhere/$(basename dmtcp-*@*)"
head -c 32 /dev/urandom >elsewhere/dmtcp-*@*/"coordinator-$PORT.secret"
chmod 600 elsewhere/dmtcp-*@*/*.secret
refused 100 "the coordinator at localhost port $PORT is another user's" dmtcp_launch -t elsewhere -p "$PORT" true

# An interval sets the running coordinator's; joining without one leaves it.
launch -i 4711 -p "$PORT" --port-file joined true
wait $PROGRAM || fail "true failed: $(cat program.err)"
[ "$(cat joined)" = "$PORT" ] || fail "port file: $(cat joined)"
launch -p "$PORT" true
wait $PROGRAM || fail "true failed: $(cat program.err)"
DMTCP_COORD_PORT=$PORT dmtcp_command -s >status
grep -q CKPT_INTERVAL=4711 status || fail "interval not set: $(cat status)"
DMTCP_COORD_PORT=$PORT stop_coordinator
