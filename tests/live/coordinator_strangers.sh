#!/bin/bash
# variants: root unpriv
# Garbage, silence, a wrong secret, one that does not read: each costs its own connection and nothing else.
. "$TESTS/lib.sh"
. "$TESTS/live/coordinator.bash"
coordinator
joined fine
# Until the coordinator closes; a read that ends tells.
for garbage in 'GET / HTTP/1.0\r\n\r\n' 'DMTC\2\0\1\0\30\0\0\0\0\0\0\0' 'DMTC\1\0\1\0\377\377\377\377\0\0\0\0' 'DMTC\1\0\5\0\100\0\0\0\0\0\0\0' \
    'DMTC\1\0\11\0\20\0\0\0\0\0\0\0' 'DMTC\1\0\377\377\0\0\0\0\0\0\0\0'; do
    exec 5<>"/dev/tcp/127.0.0.1/$PORT"
    # shellcheck disable=SC2059 # the format is what it is for
    printf "$garbage" >&5
    cat <&5 >/dev/null 2>&1
    exec 5<&- 5>&-
done
head -c 300000 /dev/urandom >noise
for ((i = 0; i < 50; i++)); do
    (exec 5<>"/dev/tcp/127.0.0.1/$PORT" && cat noise >&5) 2>/dev/null
done
# Many that say nothing, or half a message, and stay.
for ((fd = 20; fd < 220; fd++)); do
    eval "exec $fd<>/dev/tcp/127.0.0.1/$PORT"
done
printf 'DMTC\1\0\1' >&20
printf 'DMTC\1\0\1\0\30\0\0\0\0\0\0\0abc' >&21
told 0 '' -s
grep -qx '  NUM_PEERS=1' command.out || fail "peers: $(cat command.out)"
told 0 '' -bc
# A secret that is not the coordinator's: told by the client; and by the coordinator, if the client does not look.
mkdir -m 700 other
cp -r "$(dirname "$SECRET")" other/
head -c 32 /dev/urandom >"other/$(basename "$(dirname "$SECRET")")/$(basename "$SECRET")"
told 2 'does not know the secret in .*: it is somebody else' --tmpdir "$PWD/other" -k
never_said fine kill
chmod 644 "other/$(basename "$(dirname "$SECRET")")/$(basename "$SECRET")"
told 2 'there is no secret of a coordinator of yours' --tmpdir "$PWD/other" -k
[ "$(stat -c %a "$SECRET")" = 600 ] || fail "the secret has mode $(stat -c %a "$SECRET")"
[ "$(stat -c %a "$(dirname "$SECRET")")" = 700 ] || fail "its directory has mode $(stat -c %a "$(dirname "$SECRET")")"
# A worker that asks and does not read.
worker flood --flood
said flood end
logged 'does not read what is sent to it'
told 0 '' -bc
[ "$(wc -l <coordinator.log)" -lt 60 ] || fail "strangers fill the log: $(wc -l <coordinator.log) lines"
quit
ends fine
