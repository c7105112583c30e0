#!/usr/bin/env bash
# lockwork as a stranger uses it: examples/downstream on std, in its own loom models, and with each planted bug, which a
# model must find. And that a crate that does not ask for loom gets none of it.
set -euo pipefail
cd "$(dirname "$0")/.."
unset RUSTFLAGS
manifest=examples/downstream/Cargo.toml
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/downstream

tree=$(cargo tree --locked --manifest-path "$manifest" --edges normal --prefix none)
if grep -q '^loom ' <<<"$tree"; then
    echo "loom is in a build that did not ask for it:" >&2
    echo "$tree" >&2
    exit 1
fi
cargo test --locked --manifest-path "$manifest"

# Nor is loom in the lockfile of one who uses lockwork, or a library that has its models as the guide says.
users=$(mktemp -d)
trap 'rm -rf "$users"' EXIT
crate() { # name, dependencies
    mkdir -p "$users/$1/src"
    : >"$users/$1/src/lib.rs"
    printf '[workspace]\n[package]\nname = "%s"\nversion = "0.0.0"\nedition = "2024"\n%s\n' "$1" "$2" >"$users/$1/Cargo.toml"
}
lockwork="lockwork = { path = '$PWD'"
crate library "[dependencies]
$lockwork }
[target.'cfg(loom)'.dev-dependencies]
$lockwork, features = ['loom'] }
loom = '0.7.2'"
crate user "[dependencies]
$lockwork }
library = { path = '../library' }"
cargo generate-lockfile --offline --manifest-path "$users/user/Cargo.toml"
if [ "$(grep -c '^name = ' "$users/user/Cargo.lock")" != 3 ]; then
    echo "more than lockwork is in the lockfile of its users:" >&2
    cat "$users/user/Cargo.lock" >&2
    exit 1
fi

# A stray `--cfg loom`, without the feature, changes nothing: locks are made in constants, and there is no loom.
RUSTFLAGS="--cfg loom" cargo check --locked --lib

export RUSTFLAGS="--cfg loom"
# Three threads at a tray take minutes on the real types: these have that model below, where it finds what is planted.
cargo test --locked --release --manifest-path "$manifest" --features lockwork/loom -- --skip each_item_is_taken_once
cargo test --locked --release --manifest-path "$manifest" --features lockwork/loom-spec

# In both arms: feature, the model that finds it, and what the model says.
while read -r arm bug model message; do
    log=$CARGO_TARGET_DIR/$arm-$bug.log
    if cargo test --locked --release --manifest-path "$manifest" --features "lockwork/$arm,$bug" -- "$model" >"$log" 2>&1; then
        echo "$bug was not found by $model with $arm" >&2
        exit 1
    fi
    if ! grep -q -- "$message" "$log"; then
        echo "$model failed with $arm, but not because of $bug:" >&2
        cat "$log" >&2
        exit 1
    fi
    echo "$bug: found by $model with $arm"
done <<'END'
loom bug-pointer window_shows_what_was_added Causality violation
loom bug-order opposite_transfers_both_happen deadlock
loom bug-if each_item_is_taken_once another thread took the item
loom-spec bug-pointer window_shows_what_was_added Causality violation
loom-spec bug-order opposite_transfers_both_happen deadlock
loom-spec bug-if each_item_is_taken_once another thread took the item
END
