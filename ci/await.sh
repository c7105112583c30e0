#!/usr/bin/env bash
# The settings of docs/guide/diagnose.md have clippy find each guard of this crate that is held across an `.await`: a tiny
# program holds one of each type that they name, and every public guard is named there.
set -euo pipefail
cd "$(dirname "$0")/.."
probe=$PWD/target/await-probe
mkdir -p "$probe/src"
cat > "$probe/Cargo.toml" <<END
[package]
name = "await-probe"
version = "0.0.0"
edition = "2024"

[dependencies]
lockwork = { path = "../..", features = ["lock_api"] }
lock_api = "0.4"

[workspace]
END
cp Cargo.lock "$probe/Cargo.lock"
types=$(sed -n 's/^    "\(\(lockwork\|lock_api\)::.*\)",$/\1/p' docs/guide/diagnose.md)
{
    echo 'await-holding-invalid-types = ['
    for type in $types; do echo "    \"$type\","; done
    echo ']'
} > "$probe/clippy.toml"
{
    echo '#![allow(dead_code)]'
    n=0
    for type in $types; do
        case $type in
        lock_api::Rw* | lock_api::MappedRw*) arguments="'static, lockwork::RawRwLock, u32" ;;
        lock_api::*Reentrant*) arguments="'static, lockwork::RawMutex, lockwork::RawThreadId, u32" ;;
        lock_api::*) arguments="'static, lockwork::RawMutex, u32" ;;
        *::Arc*) arguments=u32 ;;
        *) arguments="'static, u32" ;;
        esac
        n=$((n + 1))
        echo "async fn held_$n(guard: $type<$arguments>) { std::future::ready(()).await; drop(guard); }"
    done
} > "$probe/src/lib.rs"
output=$(cargo clippy --offline --manifest-path "$probe/Cargo.toml" --target-dir target/await 2>&1 | cat)
found=$(grep -cE 'warning: .*(await point|across an .await|holding a disallowed type)' <<< "$output" || true)
wanted=$(wc -w <<< "$types")
[ "$found" = "$wanted" ] || { echo "$output"; echo "clippy finds $found of $wanted guards"; exit 1; }
missing=$(grep -rhoE '^pub struct [A-Za-z]*Guard<' src/mutex src/rwlock src/reentrant src/poison | sed 's/pub struct //; s/<//' |
    sort -u | while read -r guard; do grep -q "lockwork::$guard\"" docs/guide/diagnose.md || echo "$guard"; done)
[ -z "$missing" ] || { echo "docs/guide/diagnose.md does not name $missing"; exit 1; }
poisoned=$(grep -rhoE '^pub struct [A-Za-z]*Guard<' src/poison | sed 's/pub struct //; s/<//')
for guard in $poisoned; do
    grep -q "lockwork::poison::$guard\"" docs/guide/diagnose.md || { echo "docs/guide/diagnose.md does not name poison's $guard"; exit 1; }
done
echo "clippy finds all $wanted guards"
