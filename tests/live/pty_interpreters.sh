#!/bin/bash
# variants: root unpriv
# Interpreters that edit lines (the terminal is raw while they wait), restarted on another terminal: they know their variables and take lines.
. "$TESTS/lib.sh"
need python3 bash

on_terminal() {
    rm -f keys
    mkfifo keys
    "$B/tests/live/terminal_driver" keys "$@" </dev/null >>screen.out 2>>driver.err &
    PROGRAM=$!
    await "the terminal" test -p keys
}
program_pids() { local pid; for pid in $(pids_below $PROGRAM); do case $(cat /proc/$pid/comm) in dmtcp_*) ;; *) echo "$pid" ;; esac; done; }
shows() { await_program "\"$1\" on the screen" grep -q "$1" screen.out; }
export TERM=dumb PS1='ready> ' HISTFILE=

# interpreter SET SHOW SHOWN END COMMAND...
interpreter() {
    local set=$1 show=$2 shown=$3 end=$4
    shift 4
    rm -rf "${IMAGES:?}"/* screen.out
    start_coordinator
    on_terminal dmtcp_launch --join "$@"
    echo "$set" >keys
    shows "set 41"
    checkpoint
    kill -9 $(program_pids)
    await "the end of the driver" ended "$PROGRAM"
    rm screen.out
    on_terminal dmtcp_restart $(images)
    echo "$show" >keys
    shows "$shown"
    checkpoint
    echo "$end" >keys
    await "the program's end" ended "$PROGRAM"
    wait "$PROGRAM"
    status=$?
    [ $status = 5 ] || fail "$1 ended with status $status"
    stop_coordinator
}

interpreter 'x = 41; print("set", x)' 'print("is", x + 1)' "is 42" "exit(5)" "$(python3 -c 'import sys; print(sys.executable)')" -i
interpreter 'x=41; echo set $x' 'echo is $((x + 1)); sleep 0 & wait %1; echo job $?' "job 0" "exit 5" bash --norc --noprofile -i
