#!/bin/bash
# variants: root unpriv
# limit: 120
# Full-screen programs, restarted on a terminal of another size and on one of the same size: they paint their screen again, take keys, and end by
# leaving the terminal as they found it. The terminals are those of a tmux outside of the computation.
. "$TESTS/lib.sh"
need tmux vim less
TMUX= # not ours to talk to
terminals=
cleanup_terminals() {
    local status=$?
    [ $status = 0 ] || t capture-pane -p -t after
    tmux -S "$TEST_TMP/tmux" kill-server 2>/dev/null
    (exit $status)
    cleanup
}
trap cleanup_terminals EXIT
t() { tmux -S "$TEST_TMP/tmux" "$@"; }
export SHELL=/bin/bash TERM=screen HISTFILE=

# terminal NAME COLUMNS LINES: with an interactive shell.
terminal() { t -f /dev/null new-session -d -s "$1" -x "$2" -y "$3" "env PS1='ready> ' bash --norc --noprofile -i"; await "the shell" screen_shows "$1" "ready>"; }
screen_shows() { t capture-pane -p -t "$1" | grep -q -- "$2"; }
shows() { await "\"$2\" in terminal $1, which shows: $(t capture-pane -p -t "$1")" screen_shows "$1" "$2"; }
type_keys() { local name=$1; shift; t send-keys -t "$name" "$@"; }
has_its_size() {
    local tty rows columns
    read -r tty rows columns < <(t display-message -p -t "$1" '#{pane_tty} #{pane_height} #{pane_width}')
    [ "$(stty -F "$tty" size)" = "$rows $columns" ]
}
pressed() { type_keys "$1" "$2"; screen_shows "$1" "$3"; }

for ((i = 1; i <= 200; i++)); do echo "line $i of the text"; done >text
start_coordinator
t -f /dev/null new-session -d -s stays "sleep 1000" # tmux ends with its last session

# full_screen PROGRAM KEY WHAT-IT-SHOWS QUIT-KEYS...
full_screen() {
    local command=$1 key=$2 expected=$3
    shift 3
    rm -rf "${IMAGES:?}"/*
    terminal before 70 20
    type_keys before "dmtcp_launch --join $command" Enter
    shows before "line 3 of the text"
    checkpoint
    type_keys before "$key"
    shows before "$expected"
    command_done -k || fail "dmtcp_command -k"
    await "the end of $command" says NUM_PEERS=0
    t kill-session -t before
    for size in "90 30" "70 20"; do
        # shellcheck disable=SC2086
        terminal after $size
        type_keys after "dmtcp_restart $(images)" Enter
        shows after "line 3 of the text"
        [ "$size" = "70 20" ] || shows after "line 25 of the text"
        # less drops a key that comes together with a change of size, and the size changes once more when the restart is over.
        await "the terminal's own size" has_its_size after
        await "\"$expected\" on the screen" pressed after "$key" "$expected"
        type_keys after "$@"
        shows after "ready> *$"
        type_keys after "stty -a | grep -o ' icanon.* echo '; echo status \$?" Enter
        shows after "^status 0"
        t kill-session -t after
    done
}

full_screen "less text" G "line 200 of the text" q
full_screen "vim -u NONE -N -n text" G "line 200 of the text" : q Enter
stop_coordinator
