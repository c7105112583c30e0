#!/usr/bin/env bash
# Runs the tests of other crates on this one: `ci/others.sh [CRATE ..]`. By hand, because it compiles what they need.
#
# crossbeam-channel's own tests run on `lockwork::channel`, but for those of `select!`, of timers and of channels without a
# place, which it has not. The tests of crates that use crossbeam-channel or parking_lot run on a crate of that name which
# re-exports this one, put in by `[patch.crates-io]`, as docs/guide says. Prints a line for each: passed, failed, left out.
# Not among them is tracing-appender, which asks for a channel without a place.
# Needs crates.io.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$root/target/others
mkdir -p "$work"
export CARGO_TARGET_DIR=$work/target

# Name, version, what it uses, and what `cargo test` is given.
crates='
crossbeam-channel 0.5.17 itself --test array --test list --test iter --test mpsc
rusty_pool 0.7.0 crossbeam-channel --lib --tests
slog-async 2.8.0 crossbeam-channel --lib --tests
jwalk 0.8.1 crossbeam-channel --lib --tests
scheduled-thread-pool 0.2.7 parking_lot --lib --tests
r2d2 0.8.10 parking_lot --lib --tests
prometheus 0.14.0 parking_lot --lib --tests --no-default-features
string_cache 0.8.9 parking_lot --lib --tests
'

# The shims.
mkdir -p "$work/crossbeam-channel-shim/src"
cat >"$work/crossbeam-channel-shim/Cargo.toml" <<END
[package]
name = "crossbeam-channel"
version = "0.5.99"
edition = "2024"
[features]
default = ["std"]
std = []
[dependencies]
lockwork = { path = "$root" }
[workspace]
END
cat >"$work/crossbeam-channel-shim/src/lib.rs" <<'END'
pub use lockwork::channel::*;

/// So that a file of tests compiles in which some select.
#[macro_export]
macro_rules! select {
    ($($branch:tt)*) => { panic!("no select! here") };
}

#[macro_export]
macro_rules! crossbeam_channel_internal {
    ($($branch:tt)*) => { panic!("no select! here") };
}
END
ci/parking_lot-shim.sh "$work/parking_lot-shim"

# published NAME VERSION: puts the crate as it was published into $work/NAME.
published() {
    local ask=$work/ask
    rm -rf "$ask" "${work:?}/$1"
    mkdir -p "$ask/src"
    touch "$ask/src/lib.rs"
    printf '[package]\nname = "ask"\nversion = "0.0.0"\nedition = "2024"\n[dependencies]\n%s = "=%s"\n[workspace]\n' "$1" "$2" \
        >"$ask/Cargo.toml"
    (cd "$ask" && cargo vendor --quiet --versioned-dirs vendor >/dev/null)
    cp -r "$ask/vendor/$1-$2" "$work/$1"
    rm -rf "$ask" "$work/$1/Cargo.lock" "$work/$1/.cargo-checksum.json"
    grep -q '^\[workspace\]' "$work/$1/Cargo.toml" || printf '\n[workspace]\n' >>"$work/$1/Cargo.toml"
}

# left_out FILE: arguments that skip its tests of what is not here.
left_out() {
    awk '/^ *mod [a-z_]+ \{/ { if (match($0, /^mod /)) module = $2 "::" } /^}/ { module = "" }
        /^ *(pub )?fn / { name = $0; sub(/.*fn /, "", name); sub(/[(<].*/, "", name) }
        /select!|Select::|(bounded|sync_channel|make)(::<.*>)?\((0|c, 0)\)|tick\(|after\(/ { print module name }' "$1" | sort -u
}

failed=0
while read -r name version uses args; do
    [ -n "$name" ] || continue
    [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
    published "$name" "$version"
    skipped=()
    if [ "$uses" = itself ]; then
        cp "$work/crossbeam-channel-shim/src/lib.rs" "$work/$name/src/lib.rs"
        find "$work/$name/src" -name '*.rs' ! -name lib.rs -delete
        printf '\n[dependencies.lockwork]\npath = "%s"\n' "$root" >>"$work/$name/Cargo.toml"
        while read -r test; do skipped+=(--skip "$test"); done < <(
            for test in array list iter mpsc; do left_out "$work/$name/tests/$test.rs"; done | sort -u)
    else
        printf '\n[patch.crates-io]\n%s = { path = "%s" }\n' "$uses" "$work/$uses-shim" >>"$work/$name/Cargo.toml"
    fi
    log=$work/$name.log
    # shellcheck disable=SC2086
    if (cd "$work/$name" && cargo test --no-fail-fast $args -- --exact "${skipped[@]}") >"$log" 2>&1; then
        how=passed
    else
        how=FAILED
        failed=1
    fi
    if [ "$uses" != itself ]; then
        # By its version: another crate of the tree may ask for a later one of that name.
        shim=$uses@$(sed -n 's/^version = "\([^"]*\)".*/\1/p' "$work/$uses-shim/Cargo.toml" | head -1)
        tree=$(cd "$work/$name" && cargo tree --invert "$shim")
        grep -qF "$work/$uses-shim" <<<"$tree" || how="NOT ON THE SHIM" failed=1
    fi
    awk -v what="$name $version" -v how="$how" '/^test result/ { passed += $4; failed += $6; ignored += $8; out += $12 }
        END { printf "%s: %s, %d tests passed, %d failed, %d ignored, %d left out\n", what, how, passed, failed, ignored, out }' "$log"
done <<<"$crates"
exit "$failed"
