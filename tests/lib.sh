# Functions for live tests; sourced by bash scripts that the runner starts (which sets B, TESTS, TEST_TMP and makes TEST_TMP the current
# directory). A test says what it does to a program; everything here waits for states, with a bound and a name for what is awaited, never
# for time.
#
# The program under test goes in steps (tests/live/step.h and its siblings for other languages): it writes the number of the step it has
# reached to $STEP_DIR/ready and waits until $STEP_DIR/go.<number> exists (it goes on) or $STEP_DIR/end does (it finishes). So a checkpoint
# is taken at a known place, and no test depends on how fast the machine is.

set -u
: "${B:?run by tests/runner}" "${TESTS:?}" "${TEST_TMP:?}"
PATH=$B/bin:$PATH
AWAIT_SECONDS=${AWAIT_SECONDS:-30}
IMAGES=$TEST_TMP/images
STEP_DIR=$TEST_TMP/step
PLAIN_DIR=$TEST_TMP/plain
PROGRAM=      # pid of what launch or restart started
COORDINATOR=  # pid of the coordinator
mkdir -p "$IMAGES" "$STEP_DIR"
mkfifo "$TEST_TMP/.pause"
export STEP_DIR DMTCP_CHECKPOINT_DIR=$IMAGES PYTHONDONTWRITEBYTECODE=1

# What was there when it went wrong; the runner adds *.log, *.out and *.err of TEST_TMP by itself.
describe() {
    echo "--- files"
    find "$TEST_TMP" -type f -printf '%P %s bytes, mode %m\n' | sort | head -60
    echo "--- steps: ready $(cat "$STEP_DIR/ready" 2>/dev/null), go on: $(cd "$STEP_DIR" && echo go.*)"
    echo "--- processes"
    local pid
    for pid in $COORDINATOR $PROGRAM $(pids_below ${PROGRAM:-}); do
        [ -r /proc/$pid/stat ] || { echo "$pid is gone"; continue; }
        echo "$pid ($(cat /proc/$pid/comm)) $(tr '\0' ' ' </proc/$pid/cmdline)"
        grep -h '^State\|^SigQ\|^SigBlk\|^SigPnd\|^ShdPnd' /proc/$pid/task/*/status 2>/dev/null | sort | uniq -c | head -20
        head -qn1 /proc/$pid/task/*/syscall 2>/dev/null | sort | uniq -c | head -20
    done
}

fail() {
    describe
    echo "$*"
    exit 1
}

skip() {
    echo "$*"
    exit 77
}

# need COMMAND...: skips the test when a command is missing.
need() {
    local command
    for command; do
        type -P "$command" >/dev/null || skip "$command is not installed"
    done
}

ended() { ! kill -0 "$1" 2>/dev/null; }

# A hundredth of a second. What is called all the time here starts no process: on virtual machines a fork is what costs most.
pause() { read -rt 0.01 <>"$TEST_TMP/.pause"; }

# first_line VARIABLE FILE
first_line() {
    printf -v "$1" ""
    [ ! -r "$2" ] || read -r "${1?}" 2>/dev/null <"$2" || [ "${!1}" ]
}

# await WHAT COMMAND...: until COMMAND succeeds.
await() {
    local what=$1 end=$((SECONDS + AWAIT_SECONDS))
    shift
    until "$@"; do
        [ $SECONDS -le $end ] || fail "waited $AWAIT_SECONDS s for $what"
        pause
    done
}

# The same, for what only a living program can bring about.
await_program() {
    local what=$1 end=$((SECONDS + AWAIT_SECONDS)) status
    shift
    until "$@"; do
        if ended "$PROGRAM"; then
            "$@" && return
            wait "$PROGRAM"
            status=$?
            fail "the program ended (status $status) before $what; it said: $(cat program.err restart.err 2>/dev/null | tail -n1)"
        fi
        [ $SECONDS -le $end ] || fail "waited $AWAIT_SECONDS s for $what"
        pause
    done
}

start_coordinator() {
    rm -f "$TEST_TMP/port"
    dmtcp_coordinator --coord-port "${PORT:-0}" --port-file "$TEST_TMP/port" --coord-logfile "$TEST_TMP/coordinator.log" "$@" \
        </dev/null >>"$TEST_TMP/coordinator.out" 2>&1 &
    COORDINATOR=$!
    await "the coordinator's port file" test -s "$TEST_TMP/port" -o ! -d /proc/$COORDINATOR
    ended $COORDINATOR && fail "the coordinator ended: $(tail -n1 "$TEST_TMP/coordinator.out")"
    PORT=$(cat "$TEST_TMP/port")
    export DMTCP_COORD_HOST=127.0.0.1 DMTCP_COORD_PORT=$PORT
}

# launch [OPTION...] COMMAND...: in the background, its output in program.out and program.err.
launch() {
    dmtcp_launch --join "$@" <"${STDIN:-/dev/null}" >"$TEST_TMP/program.out" 2>"$TEST_TMP/program.err" &
    PROGRAM=$!
}

images() {
    local image
    for image in "$IMAGES"/ckpt_*.dmtcp "$IMAGES"/ckpt_*/ckpt_*.dmtcp; do
        [ ! -f "$image" ] || echo "$image"
    done
}

# restart [OPTION...]: all images there are.
restart() {
    # Names without blanks: they are ours.
    # shellcheck disable=SC2046
    dmtcp_restart "$@" $(images) </dev/null >>"$TEST_TMP/restart.out" 2>>"$TEST_TMP/restart.err" &
    PROGRAM=$!
}

pids_below() {
    local pid children file
    for file in /proc/"${1:-none}"/task/*/children; do
        first_line children "$file"
        for pid in $children; do
            echo "$pid"
            pids_below "$pid"
        done
    done
}

# The pids of the program itself: dmtcp_launch becomes the program, dmtcp_restart may stay as its parent.
program_pids() {
    local pid name
    for pid in $PROGRAM $(pids_below "$PROGRAM"); do
        first_line name /proc/$pid/comm
        case $name in
        dmtcp_launch | dmtcp_restart | "") ;;
        *) echo "$pid" ;;
        esac
    done
}
program_pid() {
    local pids
    pids=$(program_pids)
    echo "${pids%%$'\n'*}"
}

command_done() { timeout 60 dmtcp_command "$@" >"$TEST_TMP/command.out" 2>"$TEST_TMP/command.err"; }

says() {
    local status
    status=$(dmtcp_command -s 2>/dev/null)
    [[ $status =~ (^|$'\n')[[:space:]]*$1($|$'\n') ]]
}

# The coordinator counts the program in, and it runs.
await_running() { await_program "RUNNING=yes from the coordinator (${1:-launch})" says RUNNING=yes; }

# A restarted program may be further than the coordinator, which still waits for others of the set.
checkpoint() {
    await "RUNNING=yes from the coordinator (checkpoint)" says RUNNING=yes
    command_done -bc || fail "dmtcp_command -bc: exit code $?: $(tail -n1 "$TEST_TMP/command.err")"
    [ "$(images)" ] || fail "dmtcp_command -bc succeeded, but there is no image"
    local left
    for left in "$IMAGES"/*.temp* "$IMAGES"/*/*.temp*; do
        [ ! -e "$left" ] || fail "a temporary file is left after a checkpoint: $left"
    done
}

# kill -9, and the status that the one who started it sees.
kill_program() {
    local pids status
    pids=$(program_pids)
    [ "$pids" ] || fail "no process of the program found to kill"
    # shellcheck disable=SC2086
    kill -9 $pids
    wait "$PROGRAM"
    status=$?
    [ $status = 137 ] || fail "killed by signal 9, but status $status was reported"
    local pid # the program's children end a moment later, and only then their connections
    for pid in $pids; do
        await "the end of pid $pid" process_gone $pid
    done
}

# Not there, or a zombie without other threads, which has closed everything: the checkpoint thread, too, has its connection.
process_gone() {
    local state threads
    first_line state /proc/$1/stat
    state=${state##*) }
    state=${state%% *}
    threads=(/proc/"$1"/task/*)
    [ ! "$state" ] || { [ "$state" = Z ] || [ "$state" = X ]; } && [ ${#threads[@]} -le 1 ]
}

at_step() {
    local step
    first_line step "$STEP_DIR/ready"
    [ "$step" = "$1" ]
}
await_step() { await_program "step $1 ($2)" at_step "$1"; }
go() { : >"$STEP_DIR/go.$1"; }

# finish: tells the program to end and expects exit code 0.
finish() {
    : >"$STEP_DIR/end"
    await "the program's end" ended "$PROGRAM"
    wait "$PROGRAM"
    local status=$?
    [ $status = 0 ] || fail "the program ended with status $status at the end; it said: $(cat program.err restart.err 2>/dev/null | tail -n1)"
}

# generations N [FROM]: N times checkpoint, let it run a step, kill -9, restart, and let it run the same step again. A test may define
# after_kill STEP, to change the world before the restart, and at_end, to clear up what outlives processes.
generations() {
    local step=${2:-1} last
    last=$((step + $1))
    await_step "$step" "its state is built"
    while [ "$step" -lt $last ]; do
        checkpoint
        go "$step"
        await_step $((step + 1)) "checked after resume $step"
        kill_program
        ! declare -F after_kill >/dev/null || after_kill "$step"
        rm "$STEP_DIR/ready"
        restart
        await_step $((step + 1)) "checked after restart $step"
        step=$((step + 1))
    done
}

# plain N COMMAND...: the undisturbed run, with the same number of steps, its output in $PLAIN_DIR.
plain() {
    local steps=$1 status
    shift
    mkdir -p "$PLAIN_DIR/step"
    for ((i = 1; i <= steps; i++)); do : >"$PLAIN_DIR/step/go.$i"; done
    : >"$PLAIN_DIR/step/end"
    (cd "$PLAIN_DIR" && STEP_DIR=$PLAIN_DIR/step exec timeout 60 "$@") </dev/null >"$PLAIN_DIR/program.out" 2>"$TEST_TMP/plain.err"
    status=$?
    [ $status = 0 ] || fail "the undisturbed run ended with status $status: $(tail -n1 "$TEST_TMP/plain.err")"
}

same() {
    cmp "$PLAIN_DIR/$1" "$TEST_TMP/$1" || {
        diff "$PLAIN_DIR/$1" "$TEST_TMP/$1" | head -n 20
        fail "$1 differs from that of an undisturbed run"
    }
}

# survive COMMAND...: the usual test of a program that checks itself.
survive() {
    local count=${GENERATIONS:-3}
    plain "$count" "$@"
    start_coordinator
    launch "$@"
    generations "$count"
    finish
    same program.out
    stop_coordinator
}

# survive_saying TEXT COMMAND...: the test of a program that checks itself, and says TEXT when all was right. No undisturbed run: servers take their time to
# start.
survive_saying() {
    local text=$1
    shift
    start_coordinator
    launch "$@"
    generations "${GENERATIONS:-2}"
    finish
    [ "$(tail -n1 program.out)" = "$text" ] || fail "it said: $(tail -n1 program.out) $(tail -n1 program.err)"
    stop_coordinator
}

# run_on N COMMAND...: N steps with two checkpoints each, and no restart.
run_on() {
    local steps=$1 i
    shift
    start_coordinator
    launch "$@"
    for ((i = 1; i <= steps; i++)); do
        await_step $i "it runs"
        checkpoint
        checkpoint
        go $i
    done
    await_step $((steps + 1)) "it runs on"
    finish
    stop_coordinator
}

stop_coordinator() {
    command_done -q || fail "dmtcp_command -q: exit code $?: $(tail -n1 "$TEST_TMP/command.err")"
    await "the coordinator's end" ended "$COORDINATOR"
    wait "$COORDINATOR"
    COORDINATOR=
}

# Only what this test started; the runner makes sure that nothing is left.
cleanup() {
    local status=$? pid
    trap - EXIT
    exec 2>/dev/null # the shell would tell of every job killed, after the reason of the failure
    [ "$COORDINATOR" ] && command_done -q
    # By `jobs`: the number of one that was waited for may be somebody else's by now.
    for pid in $(jobs -p); do
        for pid in $(pids_below "$pid") "$pid"; do
            kill -9 "$pid" 2>/dev/null
        done
    done
    wait
    ! declare -F at_end >/dev/null || at_end
    exit $status
}
trap cleanup EXIT
trap 'exit 1' TERM INT HUP
