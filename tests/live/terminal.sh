#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"

on_terminal() {
    rm -f keys
    mkfifo keys
    "$B/tests/live/terminal_driver" keys "$@" </dev/null >>screen.out 2>>driver.err &
    PROGRAM=$!
    await "the terminal" test -p keys
}
type_line() { echo "$1" >keys; }

# The program below the driver; what it is called says which it is.
program_pids() { local pid; for pid in $(pids_below $PROGRAM); do [ "$(cat /proc/$pid/comm)" = terminal ] && echo "$pid"; done; }

start_coordinator
on_terminal dmtcp_launch --join "$B/tests/live/terminal"
await_step 1 "it runs on a terminal"
checkpoint
go 1
type_line one
await_step 2 "a line was read from the terminal"
kill -9 $(program_pids)
await "the end of the driver" ended "$PROGRAM"
rm "$STEP_DIR/ready"
on_terminal dmtcp_restart $(images)
type_line two
await_step 2 "a line was read from the new terminal"
checkpoint
finish
for word in one two; do
    grep -q "line: $word" screen.out || fail "\"line: $word\" is not on the screen: $(tr -d '\r' <screen.out | tail -n3)"
done
stop_coordinator
