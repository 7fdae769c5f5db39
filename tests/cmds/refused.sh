# For tests of bad input; sourced after lib.sh.

CRAFT=$B/tests/craft_image

# refused CODE PATTERN COMMAND...: COMMAND must end with that code, having said nothing on standard output and, on standard error, exactly one
# line, which begins with its name and matches the extended regular expression.
refused() {
    local code=$1 pattern=$2 status name word
    shift 2
    for word; do
        case $word in dmtcp_*) name=$word && break ;; esac
    done
    timeout 60 "$@" </dev/null >"$TEST_TMP/refused.out" 2>"$TEST_TMP/refused.err"
    status=$?
    [ $status = "$code" ] || fail "exit code $status instead of $code: $*"
    [ ! -s "$TEST_TMP/refused.out" ] || fail "it wrote on standard output: $*"
    [ "$(wc -l <"$TEST_TMP/refused.err")" = 1 ] || fail "not one line on standard error: $*"
    grep -Eq "^$name: .*$pattern" "$TEST_TMP/refused.err" || fail "said: $(cat "$TEST_TMP/refused.err"), which is not: $pattern"
}

# craft FILE [name=number]...: an image of a made-up process.
craft() { "$CRAFT" "$@" || fail "craft_image $*"; }
