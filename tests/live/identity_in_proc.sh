#!/bin/bash
# What ps and others see of the program is after a restart what it was before.
# variants: root unpriv
. "$TESTS/lib.sh"

look() { # PID FILE
    {
        echo "command line: $(tr '\0' '|' </proc/$1/cmdline)"
        echo "environment: $(tr '\0' '\n' </proc/$1/environ | sort | md5sum) with MARK: $(tr '\0' '\n' </proc/$1/environ | grep ^MARK=)"
        echo "auxv: $(md5sum </proc/$1/auxv)"
        echo "name: $(cat /proc/$1/comm)"
        echo "ps: $(ps -o comm=,args= -p "$1")"
        echo "cwd: $(readlink /proc/$1/cwd)"
        grep -E '\[(heap|stack|vdso|vvar|vvar_vclock)\]$' /proc/$1/maps | sed 's/ .*\[/ [/'
        grep -E '^(Umask|SigBlk|SigIgn|SigCgt)' /proc/$1/status
        awk '{ print "stat: code", $26, $27, "stack", $28, "data", $45, $46, "brk", $47, "arg", $48, $49, "env", $50, $51 }' \
            <(sed 's/^[0-9]* (.*) /0 x /' /proc/$1/stat)
    } >"$2"
}

export MARK="is here"
start_coordinator
launch "$B/tests/live/stepper" 1 0 "an argument"
await_step 1 "it runs"
checkpoint
look "$(program_pid)" before
for i in 1 2; do
    kill_program
    restart
    await_running
    look "$(program_pid)" after
    diff before after || fail "$(diff before after | grep -m1 '^>') differs after restart $i"
done
grep -q 'MARK=is here' after || fail "the environment in /proc is not the program's"
grep -q '^name: stepper$' after || fail "the name is wrong"
grep -q '\[heap\]' after && grep -q '\[stack\]' after || fail "no [heap] or [stack] in /proc/PID/maps"
finish
stop_coordinator
