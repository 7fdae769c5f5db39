# cases TIMES CASE…: each case of tests/loader/loader_case.c that many times, over the forms of image and numbers of worker threads in
# turn: every run has another layout of the address space. Sourced; the runner sets B and TEST_TMP.
cases() {
    times=$1
    shift
    for case in "$@"; do
        n=0
        while [ $n -lt "$times" ]; do
            case $((n % 6)) in
            0) form=raw workers=1 ;;
            1) form=gzip workers=4 ;;
            2) form=zcat workers=4 ;;
            3) form=raw workers=4 ;;
            4) form=gzip workers=1 ;;
            5) form=zcat workers=1 ;;
            esac
            "$B/tests/loader/loader_case" "$B/lib/dmtcp/dmtcp_loader" "$B/tests/loader/blob" "$case" $form $workers >"$TEST_TMP/case.out" 2>&1
            status=$?
            if [ $status -ne 0 ]; then
                echo "case $case, $form, $workers workers, run $n: exit $status"
                tr '\0' ' ' <"$TEST_TMP/case.out" | head -c 4000
                exit $status
            fi
            n=$((n + 1))
        done
    done
}
