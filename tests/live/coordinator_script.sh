#!/bin/bash
# The restart script: a list of images per host, as a shell reads it, whatever their names; hosts can be moved.
. "$TESTS/lib.sh"
. "$TESTS/live/coordinator.bash"
coordinator
unset DMTCP_CHECKPOINT_DIR
worker "it's \$HOME; \"x\" \`y\`" --as 101
await "one worker" says NUM_PEERS=1
told 0 '' -bc
script=$(readlink "$IMAGES/dmtcp_restart_script.sh")
[[ $script =~ ^dmtcp_restart_script_[0-9a-f]+-[0-9]+-[0-9a-f]+\.sh$ ]] || fail "the link leads to $script"
[ -x "$IMAGES/$script" ] || fail "the script can't be executed"
sh -n "$IMAGES/$script" || fail "the script is no shell script"
# What it would run, seen by stand-ins.
mkdir tools
for tool in dmtcp_restart dmtcp_coordinator dmtcp_command ssh; do
    cat >tools/$tool <<'END'
#!/bin/sh
{ printf '%s' "${0##*/}"; for word; do printf ' <%s>' "$word"; done; echo; } >>"$CALLS"
[ "${0##*/}" != dmtcp_command ]
END
    chmod +x tools/$tool
done
# run FILE ARGUMENT...
run() {
    local file=$1
    shift
    sed "s|^dmtcp_bin=.*|dmtcp_bin='$PWD/tools'|" "$file" >script.sh
    chmod +x script.sh
    : >calls
    CALLS=$PWD/calls PATH=$PWD/tools:$PATH ./script.sh "$@" >script.out 2>script.err </dev/null
}
run "$IMAGES/$script" || fail "the script: $? $(cat script.err)"
grep -qF "dmtcp_restart <--coord-host> <127.0.0.1> <--coord-port> <$PORT> <$IMAGES/ckpt_it's \$HOME; \"x\" \`y\`_" calls || fail "calls: $(cat calls)"
[ "$(wc -l <calls)" = 1 ] || fail "calls: $(cat calls)"
run "$IMAGES/$script" -h n9 -p 7 --ckptdir c --restartdir "r d" --tmpdir /t --interval 5 --no-strict-checking --coord-logfile l || fail "with options: $?"
grep -qF "<--coord-host> <n9> <--coord-port> <7> <--ckptdir> <$PWD/c> <--tmpdir> </t> <--interval> <5> <--coord-logfile> <$PWD/l> <--no-strict-checking> <$PWD/r d/ckpt_it's" calls ||
    fail "calls: $(cat calls)"
run "$IMAGES/$script" --help || fail "--help: $?"
grep -q -e --hostfile script.out || fail "--help: $(cat script.out)"
run "$IMAGES/$script" --nonsense && fail "--nonsense is accepted"
grep -q 'unknown option --nonsense' script.err || fail "--nonsense: $(cat script.err)"

# Three hosts, one of them this one.
worker here --as 102
worker far --as 103 --host far1
worker farther --as 104 --host far2
await "four workers" says NUM_PEERS=4
told 0 '' -bc
here=$(uname -n)
run "$IMAGES/dmtcp_restart_script.sh" || fail "the script: $? $(cat script.err)"
[ "$(grep -c '^ssh <-n> <far[12]>' calls)" = 2 ] || fail "ssh: $(cat calls)"
[ "$(grep -c '^dmtcp_restart .*ckpt_here.*ckpt_it' calls)" = 1 ] || fail "here: $(cat calls)"
grep -q "^dmtcp_coordinator <--daemon> <--exit-on-last> <--coord-host> <$here> <--coord-port> <$PORT>" calls || fail "coordinator: $(cat calls)"
printf '# hosts\nn1\n\n%s # this one\nn2\n' "$here" >hosts
run "$IMAGES/dmtcp_restart_script.sh" --hostfile hosts || fail "--hostfile: $? $(cat script.err)"
[ "$(grep -c '^ssh <-n> <n[12]>' calls)" = 2 ] || fail "moved: $(cat calls)"
echo n1 >hosts
run "$IMAGES/dmtcp_restart_script.sh" --hostfile hosts && fail "a hostfile that is too short is accepted"
grep -q 'names fewer than the 3 hosts' script.err || fail "too short: $(cat script.err)"
if type -P shellcheck >/dev/null; then
    shellcheck -f gcc "$IMAGES/dmtcp_restart_script.sh" >shellcheck.out || fail "shellcheck: $(cat shellcheck.out)"
fi
no_temporaries
quit
