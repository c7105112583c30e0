#!/usr/bin/env bash
# Every model, and the specifications: `ci/models.sh [SHARD/SHARDS]`. A few models to a process, and as many processes as
# processors: two models in one process hold each other up. With an argument only every so manyth model, for a job of its
# own. The environment's RUSTFLAGS would take the place of the alias's, and with them the models.
set -euo pipefail
cd "$(dirname "$0")/.."
unset RUSTFLAGS
shard=${1:-1/1}
names=$(mktemp)
trap 'rm -f "$names"' EXIT
for arm in loom loom-spec; do
    cargo "$arm" --no-run
    cargo "$arm" -- --list --format terse 2>/dev/null | sed -n 's/: test$//p' |
        awk -v k="${shard%/*}" -v n="${shard#*/}" 'NR % n == k % n' >"$names"
    [ -s "$names" ]
    # xargs fails if one of them does.
    xargs --max-procs="$(nproc)" --max-args=4 cargo "$arm" --quiet -- --exact <"$names"
done
