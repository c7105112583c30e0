#!/usr/bin/env bash
# Without the feature `diagnose` there is nothing of it in a program: no name, no place in the caller's source, no
# thread-local, and the instructions of a lock's fast path are those of the same lock written by hand. With the feature
# the same program has all of that, so that each of these checks is seen to fail. Then what sessions cost: locks without
# contention, with what threads hold known and with their order watched. The aim is twice what they cost without the feature; it
# depends on what an uncontended lock costs on the processor (the guide has 3.7 from one), so four times is held, and twice for
# the feature without a session.
set -euo pipefail
cd "$(dirname "$0")/.."
probe=$PWD/target/diagnose-probe
mkdir -p "$probe/src"
cat > "$probe/Cargo.toml" <<END
[package]
name = "probe"
version = "0.0.0"
edition = "2024"

[features]
diagnose = ["lockwork/diagnose"]

[dependencies]
lockwork = { path = "../.." }

[workspace]

[profile.release]
codegen-units = 1
END
cat > "$probe/src/lib.rs" <<'END'
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicUsize, Ordering::{Acquire, Relaxed, Release}};

mod quiet;

pub struct ByHand { word: AtomicUsize, value: UnsafeCell<u32> }

#[unsafe(no_mangle)] pub fn probe_by_hand(mutex: &ByHand) {
    if let Err(word) = mutex.word.compare_exchange(0, 2, Acquire, Relaxed) { lock_slow(mutex, word); }
    unsafe { *mutex.value.get() += 1 };
    if let Err(word) = mutex.word.compare_exchange(2, 0, Release, Relaxed) { unlock_slow(mutex, word); }
}

#[cold] #[inline(never)] fn lock_slow(mutex: &ByHand, word: usize) { mutex.word.store(word, Relaxed); }
#[cold] #[inline(never)] fn unlock_slow(mutex: &ByHand, word: usize) { mutex.word.store(word + 1, Relaxed); }
END
# Calls that do not panic: their places are told to nothing but diagnosis.
cat > "$probe/src/quiet.rs" <<'END'
use lockwork::{Condvar, Event, Mutex, RwLock, Semaphore, assert_held, assert_nothing_held};

#[unsafe(no_mangle)] pub fn probe_mutex(mutex: &Mutex<u32>) { *mutex.lock() += 1; }
#[unsafe(no_mangle)] pub fn probe_read(lock: &RwLock<u32>) -> u32 { *lock.read() }
#[unsafe(no_mangle)] pub fn probe_write(lock: &RwLock<u32>) { *lock.write() += 1; }
#[unsafe(no_mangle)] pub fn probe_semaphore(semaphore: &Semaphore) { drop(semaphore.try_acquire()); }
#[unsafe(no_mangle)] pub fn probe_event(event: &Event) { event.wait(); }
#[unsafe(no_mangle)] pub fn probe_condvar(condvar: &Condvar, mutex: &Mutex<u32>) { condvar.wait(&mut mutex.lock()); }
#[unsafe(no_mangle)] pub fn probe_named() -> Mutex<u32> { Mutex::named("kept by none", 7) }
#[unsafe(no_mangle)] pub fn probe_held(mutex: &Mutex<u32>) { assert_held(mutex); assert_nothing_held(); }
END

cat > "$probe/src/main.rs" <<'END'
use lockwork::{Mutex, RwLock};
use std::hint::black_box;
use std::time::Instant;

/// The shortest of many short runs: whatever else the machine does makes a run longer.
fn measure(level: &str, row: &str, f: &dyn Fn()) {
    const TIMES: u32 = 20_000;
    let run = || { let began = Instant::now(); (0..TIMES).for_each(|_| f()); began.elapsed() };
    let best = (0..100).map(|_| run()).min().unwrap();
    println!("{level} {row} {}", best.as_nanos() as f64 / f64::from(TIMES));
}

fn rows(level: &str) {
    let (outer, mutex, lock) = (Mutex::new(0_u64), Mutex::new(0_u64), RwLock::new(0_u64));
    measure(level, "mutex", &|| *black_box(&mutex).lock() += 1);
    measure(level, "read", &|| { black_box(*black_box(&lock).read()); });
    measure(level, "write", &|| *black_box(&lock).write() += 1);
    measure(level, "two", &|| { let outer = black_box(&outer).lock(); *black_box(&mutex).lock() += *outer; });
    measure(level, "two,read", &|| { let _outer = black_box(&outer).lock(); black_box(*black_box(&lock).read()); });
    measure(level, "in-turn", &|| { *black_box(&outer).lock() += 1; *black_box(&mutex).lock() += 1; });
}

#[cfg(not(feature = "diagnose"))]
fn main() { rows("without"); }

#[cfg(feature = "diagnose")]
fn main() {
    use lockwork::diagnose::{self, Order, Settings};
    let quiet = || Settings { stall_after: None, sink: Box::new(|_| ()), ..Settings::default() };
    rows("stopped");
    for (level, order) in [("holders", Order::Off), ("order", Order::Report)] {
        let session = diagnose::start(Settings { order, ..quiet() });
        rows(level);
        drop(session);
    }
}
END

# build WHERE FEATURES..: leaves the assembly of the probe in $assembly.
build() {
    local where=$1
    shift
    rm -rf "target/$where/release/deps/"probe-*.s
    cargo rustc --quiet --lib --release --offline --manifest-path "$probe/Cargo.toml" --target-dir "target/$where" "$@" -- --emit asm
    assembly=$(ls "target/$where/release/deps/"probe-*.s)
}

# The instructions of a function up to its first return: its fast path, without names of labels and registers, and without what saves these.
fast_path() {
    awk -v name="$1:" '$1 == name { on = 1; next } on && /^\t[a-z]/ && $1 !~ /^(push|pop)/ { print $1 == "lock" ? $1 " " $2 : $1 } on && /retq?$/ { exit }' "$assembly"
}

# Names that were given, places of calls, and the code of the feature.
traces() {
    grep -cE 'kept by none|src/quiet\.rs|7observe2on' "$assembly" || true
}

build probe-off
off=$(traces)
[ "$off" = 0 ] || { echo "$off traces of diagnosis without the feature: $assembly"; exit 1; }
[ "$(fast_path probe_held)" = "$(printf 'retq')" ] || [ "$(uname -m)" != x86_64 ] || { echo "assertions have code"; exit 1; }
if [ "$(uname -m)" = x86_64 ]; then
    [ -n "$(fast_path probe_mutex)" ] || { echo "no fast path found"; exit 1; }
    diff <(fast_path probe_by_hand) <(fast_path probe_mutex) || { echo "the mutex has other instructions"; exit 1; }
fi

build probe-on --features diagnose
[ "$(traces)" -gt 0 ] || { echo "the checks see nothing of diagnosis even with the feature"; exit 1; }
if [ "$(uname -m)" = x86_64 ]; then
    ! diff <(fast_path probe_by_hand) <(fast_path probe_mutex) > /dev/null || { echo "the feature adds nothing"; exit 1; }
fi

for where in off on; do
    features=$([ $where = off ] || echo --features diagnose)
    cargo build --quiet --release --offline --manifest-path "$probe/Cargo.toml" --target-dir "target/probe-$where" $features
done
{ target/probe-off/release/probe; target/probe-on/release/probe; } | awk '
    { nanos[$1, $2] = $3; levels[$1]; rows[$2] }
    END {
        for (level in levels) if (level != "without") {
            sum = count = 0; text = ""
            for (row in rows) { times = nanos[level, row] / nanos["without", row]; sum += log(times); count++; text = text sprintf(" %s %.2f", row, times) }
            mean = exp(sum / count)
            printf "%s costs %.2f times what it costs without:%s\n", level, mean, text
            if (count != 6 || mean < 0.5 || mean > (level == "stopped" ? 2 : 4)) wrong = 1
        }
        if (wrong) { print "more than four times, or twice without a session, or nothing was measured"; exit 1 }
    }'
echo "without the feature there is nothing of it; with it, $(traces) traces"
