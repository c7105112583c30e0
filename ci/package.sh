#!/usr/bin/env bash
# What a release would be: the package builds from what it contains, and says nothing that CONTRIBUTING.md does not list.
# `cargo publish --dry-run` asks crates.io: on a developer's machine that cannot reach it this says so and checks nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -z "${CI:-}" ] && ! curl --fail --silent --max-time 20 --output /dev/null https://index.crates.io/config.json; then
    echo "left out: crates.io cannot be reached"
    exit 0
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
allowed='ignoring test `(lockwork|diagnose)` as|manifest has no (documentation, homepage or )?repository|aborting upload due to dry run'
for command in "package --list" "package" "publish --dry-run"; do
    echo "cargo $command"
    # shellcheck disable=SC2086
    if ! cargo $command --package lockwork --locked "$@" >"$log" 2>&1; then
        cat "$log" >&2
        exit 1
    fi
    if grep '^warning' "$log" | grep -vE "$allowed"; then
        echo "cargo $command warns of something that CONTRIBUTING.md does not explain" >&2
        exit 1
    fi
done
grep -E 'Packaged|Verifying|Uploading' "$log" || true
