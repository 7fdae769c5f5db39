#!/bin/bash
# An agent, with a key, that shells inside ask; the path of its socket has its own pid in it.
# variants: root unpriv
. "$TESTS/lib.sh"
need ssh-agent ssh-add ssh-keygen
cp "$(type -P ssh-agent)" agent || fail "no copy" # without its setgid bit
ssh-keygen -q -t ed25519 -N '' -C kept -f key || fail "no key"
cat >ask.sh <<'EOF'
ssh-add key 2>/dev/null
n=1
while :; do
    ssh-add -l | grep -q kept || { echo "step $n: the agent does not know the key" >&2; exit 1; }
    echo $n >"$STEP_DIR/ready.new" && mv "$STEP_DIR/ready.new" "$STEP_DIR/ready"
    until [ -e "$STEP_DIR/go.$n" ]; do
        [ -e "$STEP_DIR/end" ] && exit 0
        read -rt 0.02 <>idle
    done
    n=$((n + 1))
done
EOF
mkfifo idle
start_coordinator
launch ./agent bash ask.sh
generations 2
finish
stop_coordinator
