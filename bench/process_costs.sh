#!/bin/bash
# process_costs.sh [ROUNDS]: what processes and threads cost under dmtcp_launch, beside the same without; runs of both in turn, medians, ratios.
# B is the build directory.
set -eu
B=$(cd "${B:-build}" && pwd)
dir=$(mktemp -d)
trap 'DMTCP_COORD_PORT=$(cat "$dir/port") "$B/bin/dmtcp_command" -q >/dev/null 2>&1 || true; rm -rf "$dir"' EXIT
"${CC:-gcc}" -O2 -Wall -Wextra -pthread -o "$dir/costs" "$(dirname "$0")/process_costs.c"
cd "$dir"
"$B/bin/dmtcp_coordinator" --daemon -p 0 --port-file "$dir/port" </dev/null >/dev/null 2>&1
until [ -s port ]; do sleep 0.01; done
for ((round = 0; round < ${1:-7}; round++)); do
    ./costs | sed 's/^/native /'
    DMTCP_COORD_PORT=$(cat port) "$B/bin/dmtcp_launch" -q -q --join ./costs | sed 's/^/launched /'
done >measured
awk '{ values[$1, $2] = values[$1, $2] " " $3; if (!($2 in seen)) order[++ways] = $2; seen[$2] = 1 }
function median(list, v, n, i, j, t) {
    n = split(list, v, " ")
    for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j] + 0 < v[j - 1] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
    return v[int((n + 1) / 2)] }
END { printf "%-22s %12s %12s %7s\n", "", "native us", "launched us", "ratio"
    for (w = 1; w <= ways; w++) { a = median(values["native", order[w]]); b = median(values["launched", order[w]])
        printf "%-22s %12.1f %12.1f %7.2f\n", order[w], a, b, b / a } }' measured
