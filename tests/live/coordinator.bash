# Functions for tests of the coordinator: synthetic workers (synthetic_worker.c) that do in each phase what the test wants.

# coordinator [OPTION...]: a fresh one; sets SECRET.
coordinator() {
    start_coordinator "$@"
    SECRET=$(echo "$DMTCP_TMPDIR"/dmtcp-*/coordinator-"$PORT".secret)
    [ -f "$SECRET" ] || fail "the coordinator listens, but its secret $SECRET is not there"
}

# console: a fresh coordinator whose standard input is descriptor 7; what it prints is in console.out.
console() {
    mkfifo console
    exec 7<>console
    dmtcp_coordinator -p 0 --port-file "$PWD/port" --coord-logfile coordinator.log <console >console.out 2>&1 &
    COORDINATOR=$!
    await "the port file" test -s port
    PORT=$(cat port)
    SECRET=$(echo "$DMTCP_TMPDIR"/dmtcp-*/coordinator-"$PORT".secret)
    export DMTCP_COORD_PORT=$PORT
}

declare -A WORKER
# worker NAME [OPTION...]: in the background; what it says is in NAME.out.
worker() {
    local name=$1
    shift
    "$B/tests/live/synthetic_worker" --port "$PORT" --secret "$SECRET" --images "$IMAGES" --program "$name" "$@" \
        >"$TEST_TMP/$name.out" 2>"$TEST_TMP/$name.err" </dev/null &
    WORKER[$name]=$!
}

has_said() { grep -qx -e "$2" "$TEST_TMP/$1.out"; }
# said NAME PATTERN: until the worker has said a whole line like that.
said() { await "'$2' from worker $1, which said: $(tail -n3 "$TEST_TMP/$1.out" "$TEST_TMP/$1.err")" has_said "$1" "$2"; }
never_said() { has_said "$1" "$2" && fail "worker $1 said '$2'"; true; }

has_logged() { grep -q -e "$1" "$TEST_TMP/coordinator.log"; }
logged() { await "'$1' in the coordinator's log" has_logged "$1"; }

joined() {
    local name
    for name; do
        worker "$name"
        said "$name" 'joined 1'
    done
}

# told CODE PATTERN ARGUMENT...: dmtcp_command ends with the code and says one line like that on standard error (nothing if PATTERN is empty).
told() {
    local code=$1 pattern=$2 status
    shift 2
    timeout 60 dmtcp_command "$@" >"$TEST_TMP/command.out" 2>"$TEST_TMP/command.err"
    status=$?
    [ $status = "$code" ] || fail "dmtcp_command $*: exit code $status, not $code: $(cat "$TEST_TMP/command.err")"
    if [ -z "$pattern" ]; then
        [ ! -s "$TEST_TMP/command.err" ] || fail "dmtcp_command $* said: $(cat "$TEST_TMP/command.err")"
    else
        [ "$(wc -l <"$TEST_TMP/command.err")" = 1 ] || fail "dmtcp_command $*: not one line: $(cat "$TEST_TMP/command.err")"
        grep -q -e "$pattern" "$TEST_TMP/command.err" || fail "dmtcp_command $*: no '$pattern' in: $(cat "$TEST_TMP/command.err")"
    fi
}

no_temporaries() {
    local left
    left=$(find "$TEST_TMP" -name '*.temp*')
    [ ! "$left" ] || fail "left behind: $left"
}

# ends NAME...: those workers end by themselves.
ends() {
    local name
    for name; do
        await "the end of worker $name" ended "${WORKER[$name]}"
    done
}

# gone: the coordinator ends, and nothing of it is left.
gone() {
    await "the coordinator's end" ended "$COORDINATOR"
    [ ! -e "$TEST_TMP/port" ] || fail "the port file is left"
    [ ! -e "$SECRET" ] || fail "the secret is left"
    has_logged 'DMTCP coordinator exiting' || fail "the coordinator did not log its end"
}

quit() {
    told 0 '' -q
    gone
}
