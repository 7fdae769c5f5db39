#!/bin/bash
# "f" on the console goes on without the processes that are missing.
. "$TESTS/lib.sh"
. "$TESTS/live/coordinator.bash"
console
worker some --restart 7 --as 100 --count 2 --expect 3
said some 'joined 2'
never_said some 'go .*'
echo s >&7
await "who is missing, on the console" grep -q '2 of 3 processes have joined' console.out
echo f >&7
said some 'restart done'
logged 'restart forced with 2 of 3 processes'
quit
