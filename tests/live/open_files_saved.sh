#!/bin/bash
# variants: root unpriv
. "$TESTS/lib.sh"

saved() { find images -name 'ckpt_*_files' | wc -l; }
refused() {
    restart "${@:2}"
    await "the end of the refused restart" ended "$PROGRAM"
    wait "$PROGRAM" && fail "the restart was not refused"
    grep -q "$1" restart.err || fail "it does not say \"$1\": $(tail -n3 program.err restart.err)"
}

mkdir dir
start_coordinator
launch --ckpt-open-files "$B/tests/live/open_files_saved"
await_step 1 "its state is built"
checkpoint
[ "$(saved)" = 1 ] || fail "not one directory of saved files: $(find images)"
go 1
await_step 2 "it has gone on"
kill_program
refused 'dir/data (descriptor .*) is not as it was.*--allow-file-overwrite'
# Missing, with its directory.
rm -r dir log step/ready
restart
await_step 2 "restarted without its files"
[ "$(stat -c %a dir/data)" = 640 ] && [ "$(stat -c %b dir/data)" -lt 100 ] || fail "dir/data: $(stat dir/data)"
checkpoint
[ "$(find images -path '*_files/*/*' | wc -l)" = 4 ] || fail "files of the first checkpoint are left: $(find images)"
go 2
await_step 3 "it has gone on"
kill_program
echo nonsense >dir/data
rm step/ready
restart --allow-file-overwrite
await_step 3 "restarted with files overwritten"
if [ "$(id -u)" != 0 ]; then
    before=$(find images | sort)
    chmod 0 log
    command_done -bc && fail "a checkpoint was made without the contents of log"
    grep -q "/log (descriptor .*can't be saved" command.err || fail "it said: $(cat command.err)"
    [ "$before" = "$(find images | sort)" ] || fail "left behind: $(find images)"
fi
chmod 600 log
finish
[ "$(cat log)" = "$(printf 'line 0\nline 1\nline 2')" ] || fail "log: $(cat log)"
[ ! "$(find . -name '*.dmtcp-*')" ] || fail "left behind: $(find . -name '*.dmtcp-*')"
stop_coordinator
