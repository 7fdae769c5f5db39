#!/bin/bash
# variants: root unpriv
# Workers pass all phases together; a set is renamed as a whole, with a restart script; the next set replaces it.
. "$TESTS/lib.sh"
. "$TESTS/live/coordinator.bash"
coordinator
joined one two three
for generation in 1 2 3; do
    told 0 '' -bc
    for name in one two three; do
        sed -n "/^begin $generation\$/,/^commit\$/p" "$name.out" | tail -n +2 | tr '\n' ' ' >phases
        [ "$(cat phases)" = "go ELECT go DRAIN go SNAPSHOT go REFILL go RESUME commit " ] || fail "$name: $(cat phases)"
    done
    [ "$(images | wc -l)" = 3 ] || fail "images: $(images)"
    no_temporaries
    [ "$(grep -c 'starting checkpoint; incrementing generation' coordinator.log)" = $generation ] || fail "log lines of the start"
    [ "$(grep -c 'Checkpoint complete; all workers running' coordinator.log)" = $generation ] || fail "log lines of the end"
done
# One that is asked for while another is past SUSPEND follows; those that wait for the same one share it.
for i in 1 2 3 4; do
    dmtcp_command -bc &
    pids[i]=$!
done
for i in 1 2 3 4; do
    wait "${pids[i]}" || fail "dmtcp_command -bc at the same time: $?"
done
told 0 '' -c
logged "Checkpoint complete; all workers running; generation $(grep -c 'starting checkpoint' coordinator.log)"
quit
ends one two three
for name in one two three; do
    has_said $name kill || fail "$name was not killed"
done
