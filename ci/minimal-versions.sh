#!/usr/bin/env bash
# The crate compiles with the oldest versions that its manifest allows of what it names itself: a copy of it, whose lockfile
# is made anew by crates.io.
# The option is unstable; RUSTC_BOOTSTRAP lets the stable cargo have it.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -z "${CI:-}" ] && ! curl --fail --silent --max-time 20 --output /dev/null https://index.crates.io/config.json; then
    echo "left out: crates.io cannot be reached"
    exit 0
fi
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
# A workspace of the crate alone: what its members want must not raise what it asks for.
cp -r src docs README.md Cargo.toml "$copy"
python3 - "$copy/Cargo.toml" <<'END'
import re, sys
path = sys.argv[1]
text = open(path).read()
text = re.sub(r"(?ms)^members = \[.*?\]\n", 'members = ["."]\n', text)
text = re.sub(r"(?ms)^default-members = \[.*?\]\n", "", text)
text = re.sub(r"(?ms)^\[dev-dependencies\]\n.*?(?=^\[)", "", text)
text = re.sub(r"(?ms)^\[\[test\]\]\n.*?(?=^\[)", "", text)
open(path, "w").write(text)
END
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/minimal
cd "$copy"
RUSTC_BOOTSTRAP=1 cargo update -Z direct-minimal-versions
cargo tree --all-features --edges normal --prefix none --target all
cargo check --locked --all-features
# The model builds ask for loom, shuttle and corosensei only with their flags.
RUSTFLAGS="--cfg loom" cargo check --locked --features loom,threads
RUSTFLAGS="--cfg shuttle" cargo check --locked --features shuttle,threads
RUSTFLAGS="--cfg sim" cargo check --locked --features sim,threads
