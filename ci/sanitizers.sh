#!/usr/bin/env bash
# The tests under a sanitizer, with an instrumented standard library:
#
#   ci/sanitizers.sh thread|address [arguments for the test binary]
#
# Takes Debian's compiler and library sources (installed if they are missing, which needs root), because building the
# library needs its sources and unstable options. AddressSanitizer finds a stack node that is used after its frame has
# ended; ThreadSanitizer finds accesses that no atomic operation orders, payloads included.
set -euo pipefail
cd "$(dirname "$0")/.."
sanitizer=${1:?thread or address}
shift
host=x86_64-unknown-linux-gnu

if [ ! -x /usr/bin/cargo ] || [ ! -d /usr/lib/rustlib/src/rust ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        rustc-web cargo-web rust-web-src >/dev/null
fi
llvm=$(/usr/bin/rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
case $sanitizer in
thread) short=tsan ;;
address) short=asan ;;
*)
    echo "no such sanitizer: $sanitizer" >&2
    exit 2
    ;;
esac
runtime=/usr/lib/llvm-$llvm/lib/clang/$llvm/lib/linux/libclang_rt.$short-x86_64.a
if [ ! -e "$runtime" ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "libclang-rt-$llvm-dev" "llvm-$llvm" >/dev/null
fi
# Where rustc looks for it; the package leaves the link out.
ln -sf "$runtime" "/usr/lib/rustlib/$host/lib/librustc-stable_rt.$short.a"

export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Zsanitizer=$sanitizer"
export CARGO_TARGET_DIR=target/$short
symbolizer=/usr/bin/llvm-symbolizer-$llvm
if [ -x "$symbolizer" ]; then
    export TSAN_OPTIONS="external_symbolizer_path=$symbolizer" ASAN_SYMBOLIZER_PATH="$symbolizer"
fi
# Panics of many nested drops are printed in some tests, and a backtrace needs more stack there than is left.
export RUST_BACKTRACE=0
# What a test forgets on purpose is no leak, and memory that is kept back for the sanitizer's own purposes is no growth.
export ASAN_OPTIONS="detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
# The example programs and their tests are packages of their own, which this leaves out.
exec /usr/bin/cargo test -Zbuild-std=std,panic_abort,test --target "$host" --package lockwork --test lockwork -- \
    --skip tidy --skip memory_is_flat "$@"
