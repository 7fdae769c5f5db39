#!/bin/bash
# variants: root unpriv
# The numbers of the program's pseudo terminals are taken when it is restarted: it still knows them by their names.
. "$TESTS/lib.sh"
need python3
holder=
start_coordinator
launch "$B/tests/live/pty_pair"
await_step 1 "its terminals are made"
checkpoint
kill_program
python3 -c 'import os, time
held = [os.openpty() for i in range(40)]
open("held", "w").close()
while not os.path.exists("let_go"):
    time.sleep(0.01)' &
holder=$!
await "the numbers to be taken" test -e held
rm "$STEP_DIR/ready"
restart
go 1
await_step 2 "its terminals checked by their names"
checkpoint
touch let_go
wait $holder
kill_program
rm "$STEP_DIR/ready"
restart
go 2
await_step 3 "checked again, with the old numbers free"
finish
stop_coordinator
