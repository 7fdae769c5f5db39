#!/bin/bash
# variants: root unpriv
# Options, files, background; and what can't be is said in one line.
. "$TESTS/lib.sh"
. "$TESTS/live/coordinator.bash"

# refuses CODE PATTERN ARGUMENT...
refuses() {
    local code=$1 pattern=$2 status
    shift 2
    timeout 30 dmtcp_coordinator "$@" >refused.out 2>refused.err </dev/null
    status=$?
    [ $status = "$code" ] || fail "dmtcp_coordinator $*: exit code $status, not $code: $(cat refused.err)"
    [ "$(wc -l <refused.err)" = 1 ] || fail "dmtcp_coordinator $*: not one line: $(cat refused.err)"
    grep -q -e "^dmtcp_coordinator: .*$pattern" refused.err || fail "dmtcp_coordinator $*: no '$pattern' in: $(cat refused.err)"
    [ ! -s refused.out ] || fail "dmtcp_coordinator $* wrote: $(cat refused.out)"
}

refuses 1 'unknown option --nonsense' --nonsense
refuses 1 'unknown option -z' -z
refuses 1 "option --port-file needs a value" --port-file
refuses 1 "coord-port: '70000' is no number from 0 to 65535" --coord-port 70000
refuses 1 "'x7' is no number" -p x7
refuses 1 "unexpected argument 'there'" there
refuses 99 'no address of this host' --coord-host 192.0.2.1 -p 0
refuses 99 'host nowhere.invalid' --coord-host nowhere.invalid -p 0
refuses 99 "--coord-logfile /nonexistent/log: No such file" --coord-logfile /nonexistent/log -p 0
refuses 99 "--port-file /nonexistent/port: No such file" --port-file /nonexistent/port -p 0
(DMTCP_FAIL_RC=7 DMTCP_COORD_PORT=0 refuses 7 'host nowhere.invalid' --host=nowhere.invalid) || exit

dmtcp_coordinator --help >help || fail "--help: $?"
grep -q -e --exit-on-last help || fail "--help does not tell the options"
dmtcp_coordinator --version | head -n1 | grep -q '^dmtcp_coordinator (DMTCP) [0-9]' || fail "--version"

coordinator --status-file "$PWD/status"
[ "$(cat port)" = "$(tr -d '\n' <port)" ] || fail "the port file has a newline"
grep -qx "  Port: $PORT" status && grep -qx "  PID: $COORDINATOR" status || fail "the status file: $(cat status)"
refuses 99 "port $PORT is in use on 127.0.0.1: choose another" "$PORT"
refuses 99 "port $PORT is in use on 127.0.0.1: choose another" --daemon -p"$PORT"
# What stands where its directory for scratch belongs.
mkdir link file
ln -s /tmp "link/$(basename "$(dirname "$SECRET")")"
: >"file/$(basename "$(dirname "$SECRET")")"
refuses 99 'is not a directory of ours' --tmpdir "$PWD/link" -p 0
refuses 99 'is not a directory of ours' --tmpdir "$PWD/file" -p 0
refuses 99 "can't make the directory $PWD/nowhere/.*: No such file" --tmpdir "$PWD/nowhere" -p 0
# Only loopback, and both of its addresses if there are two.
addresses=$(ss -Hltn "sport = :$PORT" 2>/dev/null | awk '{ print $4 }' | sort | tr '\n' ' ')
case $addresses in
"127.0.0.1:$PORT " | "127.0.0.1:$PORT [::1]:$PORT " | "") ;;
*) fail "it listens on $addresses" ;;
esac
quit
[ ! -e status ] || fail "the status file is left"

# In the background it is ready when the command comes back, holds nothing of its caller's, and stands in no directory.
out=$(dmtcp_coordinator --daemon --port 0 --port-file "$PWD/port" --coord-logfile "$PWD/coordinator.log" 2>&1) || fail "--daemon: $out"
[ ! "$out" ] || fail "--daemon said: $out"
PORT=$(cat port)
COORDINATOR=$(pgrep -f -x "dmtcp_coordinator --daemon --port 0 --port-file $PWD/port .*")
SECRET=$(echo "$DMTCP_TMPDIR"/dmtcp-*/coordinator-"$PORT".secret)
[ "$(readlink "/proc/$COORDINATOR/cwd")" = / ] || fail "the daemon stands in $(readlink "/proc/$COORDINATOR/cwd")"
for fd in 0 1 2; do
    [ "$(readlink "/proc/$COORDINATOR/fd/$fd")" = /dev/null ] || fail "the daemon holds $(readlink "/proc/$COORDINATOR/fd/$fd")"
done
DMTCP_COORD_PORT=$PORT quit
no_temporaries
