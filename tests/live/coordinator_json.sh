#!/bin/bash
# dmtcp_command --json: one object on one line for each command, with the fields of the interface and no others; nothing on standard error.
. "$TESTS/lib.sh"
. "$TESTS/live/coordinator.bash"
need /usr/bin/python3
cat >schema.py <<'END'
import json, sys
text = open('json.out').read()
assert text.endswith('\n') and text.count('\n') == 1, text
found = json.loads(text)
command, status, extra = sys.argv[1], sys.argv[2], set(sys.argv[3:])
assert type(found['schema_version']) is int and found['schema_version'] == 1, found
assert found['command'] == command and found['command_status'] == status, found
kinds = {'coordinator_host': str, 'coordinator_port': int, 'num_peers': int, 'running': bool, 'checkpoint_interval': int, 'workers': str,
         'error': str}
names = set(found) - {'schema_version', 'command', 'command_status'}
assert names == extra | {'coordinator_host', 'coordinator_port'}, names
for name in names:
    assert type(found[name]) is kinds[name], (name, found[name])
END
# answers CODE COMMAND STATUS "FIELD..." ARGUMENT...
answers() {
    local code=$1 command=$2 state=$3 fields=$4 status
    shift 4
    timeout 60 dmtcp_command --json "$@" >json.out 2>json.err
    status=$?
    [ $status = "$code" ] || fail "dmtcp_command --json $*: exit code $status, not $code"
    [ ! -s json.err ] || fail "dmtcp_command --json $* said: $(cat json.err)"
    # shellcheck disable=SC2086
    /usr/bin/python3 schema.py "$command" "$state" $fields 2>schema.err || fail "dmtcp_command --json $*: $(tail -n1 schema.err): $(cat json.out)"
}
coordinator
port=$DMTCP_COORD_PORT
answers 0 DMT_STATUS DMT_COORD_SUCCESS 'num_peers running checkpoint_interval' -s
answers 0 DMT_LIST DMT_COORD_SUCCESS workers list
answers 2 DMT_CHECKPOINT DMT_COORD_NOT_RUNNING 'num_peers error' c
answers 2 DMT_BLOCKING_CKPT DMT_COORD_NOT_RUNNING 'num_peers error' --bcheckpoint
joined one 'a"b\c'
answers 0 DMT_STATUS DMT_COORD_SUCCESS 'num_peers running checkpoint_interval' --status
answers 0 DMT_LIST DMT_COORD_SUCCESS workers -l
answers 0 DMT_CHECKPOINT DMT_COORD_SUCCESS num_peers -c
answers 0 DMT_BLOCKING_CKPT DMT_COORD_SUCCESS num_peers bc
answers 0 DMT_UPDATE_CKPT_INTERVAL DMT_COORD_SUCCESS checkpoint_interval -i 3600
worker fails --at DRAIN=fail:no
said fails 'joined 1'
answers 2 DMT_BLOCKING_CKPT DMT_COORD_FAILED 'num_peers error' -bc
kill "${WORKER[fails]}"
await "two workers" says NUM_PEERS=2
answers 0 DMT_KILL_AFTER_CKPT DMT_COORD_SUCCESS num_peers -kc
answers 0 DMT_KILL DMT_COORD_SUCCESS '' kill
answers 0 DMT_HELP DMT_COORD_SUCCESS '' --help
answers 0 DMT_VERSION DMT_COORD_SUCCESS '' --version
answers 1 DMT_INVALID_COORDINATOR_COMMAND DMT_COORD_INVALID_COMMAND error nonsense
answers 1 DMT_INVALID_COORDINATOR_COMMAND DMT_COORD_INVALID_COMMAND error -i many
answers 0 DMT_QUIT DMT_COORD_SUCCESS '' -q
gone
answers 2 DMT_STATUS DMT_COORD_NOT_FOUND error -p "$port" -s
told 2 "no coordinator at 127.0.0.1 port $port" -s
told 1 'no command given'
told 1 'unknown option --nonsense' --nonsense
told 1 "'70000' is no number from 0 to 65535" -p 70000 s
