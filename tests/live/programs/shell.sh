# What shells do with processes, in the language that all of them speak; the output is the same each time.
echo begin
step=0
trap 'echo "trapped USR1"' USR1
trap 'echo "end, status $?"' EXIT
while [ $step -lt "${STEPS:-4}" ]; do
    step=$((step + 1))
    # pipelines, with a builtin, a compound command, and a pipe's status
    printf '%s\n' c b a | sort | tr a-z A-Z | tr '\n' ' '
    echo "$step" | (read -r n; echo "sub $n") | sed 's/^/pipe: /'
    # command substitution, nested, with a here-document inside
    echo "nested $(echo "$(cat <<EOF
doc $(expr $step + 1)
EOF
)" | tr d D)"
    # background jobs and wait for each, with their statuses
    (exit 3) &
    first=$!
    { sleep 0.01; exit 4; } &
    second=$!
    wait $first
    echo "first $?"
    wait $second
    echo "second $?"
    # a trap while a foreground command runs, and one during wait
    kill -USR1 $$
    (sleep 0.01; kill -USR1 $$) &
    wait $! || true
    wait
    # a function in the background, over a pipe that its parent reads
    work() { i=0; while [ $i -lt 3 ]; do echo "line $i of $1"; i=$((i + 1)); done; }
    work $step | while read -r line; do echo "got $line"; done
    # an unlinked temporary file, as shells make them for long here-documents (zsh: for all)
    cat <<EOF | wc -c
$(i=0; while [ $i -lt 200 ]; do echo "a long here-document, line $i"; i=$((i + 1)); done)
EOF
    # a coprocess by hand, with two FIFOs' worth of patience: exec'd descriptors
    exec 5>&1
    (echo "through five" >&5)
    exec 5>&-
    # killed by a signal
    sh -c 'kill -9 $$'
    echo "killed: $?"
done
exit 7
