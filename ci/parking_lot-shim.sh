#!/usr/bin/env bash
# Makes the crate `parking_lot` of docs/guide/from-parking_lot.md, which re-exports this one: `ci/parking_lot-shim.sh FOLDER`.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "$1/src"

# block FIRST: the code block of the guide that begins with this line.
block() {
    awk -v first="$1" '
        /^```/ { if (on) exit; fence = 1; next }
        fence && $0 == first { on = 1 }
        { fence = 0 }
        on
    ' docs/guide/from-parking_lot.md
}
{ block '# shim/Cargo.toml' | sed "s|\"../lockwork\"|\"$PWD\"|"; printf '\n[workspace]\n'; } >"$1/Cargo.toml"
block '// shim/src/lib.rs' >"$1/src/lib.rs"
grep -q '^name = "parking_lot"' "$1/Cargo.toml"
grep -q '^pub use lockwork' "$1/src/lib.rs"
