#!/bin/bash
# variants: root unpriv
# limit: 120
# A tmux server inside of the computation: sessions, shells and windows come back, and clients inside and outside reach it by its socket, twice.
. "$TESTS/lib.sh"
need tmux
TMUX=
unset TMUX
export SHELL=/bin/sh TERM=screen
SOCKET=$TEST_TMP/tmux
t() { tmux -S "$SOCKET" "$@"; }
shows() { t capture-pane -p -t "$1" 2>/dev/null | grep -q -- "$2"; }
in_pane() { t send-keys -t "$1" "echo $2-\$((40 + 2))" Enter; await "$2 in pane $1" shows "$1" "$2-42"; }
answers() { t has-session -t first 2>/dev/null; }

start_coordinator
# -D: the server stays in the foreground, as a service manager starts it.
launch tmux -f /dev/null -S "$SOCKET" -D
await_program "the server's socket" test -S "$SOCKET"
t new-session -d -s first -x 70 -y 20 "env PS1='> ' sh"
t new-session -d -s second -x 70 -y 20 "env PS1='> ' sh"
t set-buffer "kept text"
in_pane first one
in_pane second two
for cycle in 1 2; do
    checkpoint
    in_pane first "resumed$cycle"
    kill_program
    restart
    await_program "an answer of the restarted server" answers
    [ "$(t show-buffer)" = "kept text" ] || fail "the paste buffer is lost"
    shows first one-42 || fail "the screen of the first session is lost"
    in_pane first "first-again$cycle"
    in_pane second "second-again$cycle"
done
t kill-server
await "the server's end" ended "$PROGRAM"
stop_coordinator
