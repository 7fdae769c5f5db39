#!/bin/bash
# Commands on standard input.
. "$TESTS/lib.sh"
. "$TESTS/live/coordinator.bash"
console

shown() { grep -q -e "$1" console.out; }
# types LINE PATTERN: until the console shows something like that.
types() {
    : >console.out
    echo "$1" >&7
    await "'$2' after '$1' on the console" shown "$2"
}

types '?' 'q *kill all programs and quit'
types h 'q *kill all programs and quit'
types s 'NUM_PEERS=0'
types c 'no program is running'
types nonsense "unknown command 'nonsense'"
types 's 5' "unknown command 's 5'"
types 'i x' 'i N: N is a number'
types f 'no restart is under way'
joined one
types l 'one\[[0-9]*:[0-9]*\]@'
types t 'one\[[0-9]*:[0-9]*\]@'
types s 'RUNNING=yes'
types 'i 3600' 'Interval: 3600 s'
types s 'CKPT_INTERVAL=3600'
types i0 'Interval: 0 s'
echo c >&7
said one commit
echo '  kc ' >&7
ends one
joined two
echo ck >&7
ends two
joined three
echo k >&7
ends three
joined four
echo q >&7
ends four
gone
