#!/usr/bin/env bash
# The state machines' models in proofs/spin, and the faults planted in them: `ci/spin.sh [MODEL ..]`.
#
# Each model's head says how it runs: `run: ARGS` must end without an error, `find N..: ARGS` must find one for each of
# these faults (`-DFAULT=N`). Fails if a run finds an error or does not end, if a fault is not found, or if a fault that the
# head names is not tried. Takes Debian's packages spin and gcc (installed if they are missing, which needs root), two
# processors and 3 GB of memory.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v spin >/dev/null || ! command -v gcc >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends spin gcc libc6-dev >/dev/null
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
models=("$@")
if [ ${#models[@]} -eq 0 ]; then
    models=(proofs/spin/*.pml)
fi

# verify MODEL EXPECTED DEPTH ARGS..: one line about how it went, and whether that was what was expected.
cat >"$work/verify" <<'END'
#!/usr/bin/env bash
set -euo pipefail
model=$1 expected=$2 depth=${3//,/ }
shift 3
where=$(mktemp -d -p "$(dirname "$0")")
cp "$(dirname "$model")"/*.pml "$where"
cd "$where"
name=$(basename "$model" .pml)
# A planted fault is found sooner than an optimised program is compiled.
optimise=$([ "$expected" = run ] && echo -O2 || echo -O0)
spin -a "$@" "$name.pml" >log 2>&1 && gcc "$optimise" -DSAFETY -DMEMLIM=3000 -w -o pan pan.c 2>>log || { cat log >&2; exit 1; }
start=$(date +%s%N)
# A fault is looked for in short runs of the model first.
for most in $depth; do
    timeout 280 ./pan "-m$most" >out 2>&1 || true
    if grep -q 'errors: 1$' out; then break; fi
done
took=$(( ($(date +%s%N) - start) / 100000000 ))
errors=$(sed -n 's/.*errors: \([0-9]*\)$/\1/p' out)
states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' out)
cd / && line="$name $*: ${states:-?} states, $((took / 10)).$((took % 10)) s"
case $expected in
run)
    if [ "$errors" = 0 ] && ! grep -q 'search depth too small\|Search not completed' "$where/out"; then
        echo "$line"
    else
        echo "FAILED: $line, ${errors:-did not end}: $(grep -m1 '^pan' "$where/out" || true)"
    fi ;;
find)
    if [ "${errors:-0}" = 1 ]; then echo "$line, found: $(grep -m1 '^pan:1:' "$where/out" | cut -c8-70)"
    else echo "FAILED: $line, not found"; fi ;;
esac
rm -rf "$where"
END
chmod +x "$work/verify"

for model in "${models[@]}"; do
    head=$(sed '/\*\//q' "$model" | sed 's/ *\*\/.*//')
    grep -q 'run:' <<<"$head" || continue
    sed -n 's/^ *run: *//p' <<<"$head" | while read -r args; do
        echo "$model run 8000000 $args"
    done
    named=$(grep -oE '(^|[ ]{2,})[0-9]+ [A-Za-z]' <<<"$head" | grep -oE '[0-9]+' | sort -n | tr '\n' ' ')
    tried=$(sed -n 's/^ *find \([0-9 ]*\):.*/\1/p' <<<"$head" | tr ' ' '\n' | sed '/^$/d' | sort -n | tr '\n' ' ')
    if [ "$named" != "$tried" ]; then
        echo "$model names the faults $named, and tries $tried" >&2
        exit 1
    fi
    sed -n 's/^ *find \([0-9 ]*\): *\(.*\)/\1:\2/p' <<<"$head" | while IFS=: read -r faults args; do
        for fault in $faults; do
            echo "$model find 2000,5000,50000 -DFAULT=$fault $args"
        done
    done
done >"$work/runs"
# What takes longest first.
sed -i 's/ *$//' "$work/runs"
{ grep ' run ' "$work/runs" || true; grep ' find ' "$work/runs"; } | xargs -P 2 -L 1 "$work/verify" | tee "$work/results"
runs=$(wc -l <"$work/runs")
passed=$(grep -vc '^FAILED' "$work/results" || true)
echo "$passed passed, $((runs - passed)) failed"
[ "$passed" -eq "$runs" ]
