#!/usr/bin/env bash
# Every model, and the specifications: `ci/models.sh [SHARD/SHARDS]`. Each model in a process of its own, and as many
# processes as processors. With an argument only every so manyth model, for a job of its own. The environment's RUSTFLAGS
# would take the place of the alias's, and with them the models.
set -euo pipefail
cd "$(dirname "$0")/.."
unset RUSTFLAGS
shard=${1:-1/1}
names=$(mktemp)
trap 'rm -f "$names"' EXIT
for arm in loom loom-spec; do
    cargo "$arm" --no-run
    program=$(cargo "$arm" --no-run --message-format json 2>/dev/null | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')
    "$program" --list --format terse | sed -n 's/: test$//p' |
        awk -v k="${shard%/*}" -v n="${shard#*/}" 'NR % n == k % n' >"$names"
    [ -s "$names" ]
    # Each says "passed" on a line of its own, or all that it wrote, in one write: lines of two processes do not mix. xargs
    # fails if one of them does.
    (cd loom-tests && xargs --max-procs="$(nproc)" --max-args=1 bash -c '
        if output=$("$0" --quiet --exact "$1" 2>&1) && [[ $output == *"ok. 1 passed"* ]]; then
            echo passed
        else
            printf "%s\n" "$1 failed: $output"
            exit 1
        fi
    ' "$program" <"$names") |
        awk -v all="$(wc -l <"$names")" '
            $0 == "passed" { passed++; next }
            { print }
            END { print passed + 0, "of", all, "passed"; exit passed != all }
        '
done
