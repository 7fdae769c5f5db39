#!/bin/bash
# variants: root unpriv
# A restart: all of the set or none; refused while the originals run; several dmtcp_restart make one; who is missing can be forced.
. "$TESTS/lib.sh"
. "$TESTS/live/coordinator.bash"
coordinator
joined original
worker early --restart 1 --as 100
said early 'refused the computation is still running: 1 process, the first is pid [0-9]* (original) on host .*'
never_said original kill
told 0 '' -k
ends original early

# One host.
worker whole --restart 7 --as 100 --count 3
said whole 'restart done'
logged 'FIRST restart connection'
logged 'New dmtcp_restart process'
logged 'Worker resumed execution'
tr '\n' ' ' <whole.out >order
[ "$(cat order)" = 'restart begun joined 3 go RESTORE go RECONNECT go REFILL go RESUME restart done ' ] || fail "phases: $(cat order)"
told 0 '' -bc
has_said whole 'begin 8' || fail "the generation did not go on after 7"
worker again --restart 7 --as 100
said again 'refused the computation is still running.*'
told 0 '' -k
ends whole

# Two hosts; another set in between, or a process that is not of the set, is refused.
worker left --restart 7 --as 100 --expect 2
said left 'joined 1'
worker other --restart 8 --as 100 --expect 2
said other 'refused another set is being restarted here.*'
worker size --restart 7 --as 100 --expect 3
said size 'refused the same set is being restarted here with 2 processes, not 3'
worker late
said late 'refused computation .* is being restarted here.*'
worker reconnects --reconnect 7 --as 100
said reconnects 'refused .*'
told 2 'a restart is under way' -bc
never_said left 'go .*'
"$B/tests/live/synthetic_worker" --port "$PORT" --secret "$SECRET" --restart 7 --as 100 --expect 2 --count 0 >right.out 2>&1 &
await "the second dmtcp_restart" grep -q 'restart begun' right.out
never_said left 'go .*'
told 0 '' -k
said left 'refused the programs were killed'
said left kill
ends left

# One that dies takes the others with it.
for phase in RESTORE RECONNECT REFILL; do
    worker "dies_$phase" --restart 7 --as 100 --count 2 --at "$phase=die"
    said "dies_$phase" "refused pid 100 (dies_$phase.*) on host .* ended while it was being restarted (in $phase)"
    ends "dies_$phase"
done
# After RESUME has begun the programs run.
worker dies_RESUME --restart 7 --as 100 --count 2 --at RESUME=die
said dies_RESUME 'restart done'
told 0 '' -k
ends dies_RESUME
# A dmtcp_restart that ends too early.
worker incomplete --restart 7 --as 100 --count 2 --expect 3
said incomplete 'joined 2'
kill "${WORKER[incomplete]}"
logged 'the restart failed, its processes are ended: .* ended\|dmtcp_restart ended before all processes had joined (2 of 3)'
await "no workers" says NUM_PEERS=0
quit

# With a deadline.
coordinator --deadline 1
worker hangs --restart 7 --as 100 --at REFILL=hang
said hangs 'refused it took too long: waiting for pid 100 (hangs.*) on host .*: in REFILL'
said hangs kill
ends hangs
# A program that lost its coordinator finds this one, and its computation goes on with it.
worker back --reconnect 41 --as 100
said back 'joined 1'
told 0 '' -bc
has_said back 'begin 42' || fail "the generation did not go on after 41"
worker stranger --reconnect 3 --as 999
said stranger 'refused this coordinator serves another computation.*'
quit
