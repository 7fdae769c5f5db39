#!/bin/bash
# variants: root unpriv
# script(1), and the shell on its terminal, in two processes: what is typed reaches the shell after a restart, whose session, controlling
# terminal, foreground group and terminal's name are what they were.
. "$TESTS/lib.sh"
need script

on_terminal() {
    rm -f keys
    mkfifo keys
    "$B/tests/live/terminal_driver" keys "$@" </dev/null >>screen.out 2>>driver.err &
    PROGRAM=$!
    await "the terminal" test -p keys
}
program_pids() { local pid; for pid in $(pids_below $PROGRAM); do case $(cat /proc/$pid/comm) in dmtcp_*) ;; *) echo "$pid" ;; esac; done; }
shows() { await_program "\"$1\" on the screen" grep -q "$1" screen.out; }
said() { sed -n "s/^$1: //p" screen.out | sed 's/size [0-9]* [0-9]*//'; }
type_line() { echo "$1" >keys; }

cat >shell <<'SHELL'
while read -r word; do
    exec 3</dev/tty 3<&-
    read -r _ _ _ _ group session _ foreground _ </proc/$$/stat
    echo "$word: $(tty) size $(stty size) leads $((session == group)) foreground $((foreground == group))" $(stty -a | grep -o 'kill = [^;]*')
done
SHELL

start_coordinator
on_terminal dmtcp_launch --join script -q -c "stty kill K; exec sh $PWD/shell" typescript
await_program "two processes" says NUM_PEERS=2
type_line one
shows "^one: "
checkpoint
type_line two
shows "^two: "
kill -9 $(program_pids)
await "the end of the driver" ended "$PROGRAM"
on_terminal dmtcp_restart $(images)
type_line three
shows "^three: "
checkpoint
type_line four
shows "^four: "
# For a moment the terminal looked smaller, so that programs that compare sizes paint their screen again.
sized() { type_line look; grep -q "^look: .*size 33 111" screen.out; }
await_program "the terminal's size" sized
wanted=$(said one)
for word in two three four; do
    [ "$(said $word)" = "$wanted" ] || fail "$word: not \"$wanted\": $(grep "^$word: " screen.out)"
done
printf '\004' >keys
await "the end of script" ended "$PROGRAM"
stop_coordinator
