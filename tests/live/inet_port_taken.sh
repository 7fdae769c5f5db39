#!/bin/bash
# A port that somebody else has taken meanwhile: the restart is refused, and names it.
# variants: root unpriv
. "$TESTS/lib.sh"
need python3

cat >taker.py <<'P'
import os, socket, sys, time
s = socket.socket()
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen()
open("taken", "w").close()
while not os.path.exists("leave"):
    time.sleep(0.01)
P
start_coordinator
launch "$B/tests/live/inet_listener"
await_step 1 "its state is built"
checkpoint
kill_program
port=$(cat port)
python3 taker.py "$port" &
taker=$!
await "the port to be taken" test -e taken
rm step/ready
restart
await "the end of the refused restart" ended "$PROGRAM"
wait "$PROGRAM"
status=$?
touch leave
wait $taker
[ $status != 0 ] && grep -q "TCP port $port can't be bound again: Address already in use; end the process that uses it" restart.err || fail "status $status; it said: $(cat program.err restart.err)"
restart
go 1
await_step 2 "restarted when the port is free"
finish
stop_coordinator
