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

# verify MODEL FAULTS ARGS..: a line about how each of the runs went, and whether that was what was expected. FAULTS are to be
# found, `-` is to end without an error. One program has all of them: which fault it is to have it is told when it runs.
cat >"$work/verify" <<'END'
#!/usr/bin/env bash
set -euo pipefail
model=$1 faults=${2//,/ }
shift 2
where=$(mktemp -d -p "$(dirname "$0")")
cp "$(dirname "$model")"/*.pml "$where"
cd "$where"
name=$(basename "$model" .pml)
{
    if [ "$faults" = - ]; then
        spin -a "$@" "$name.pml"
    else
        sed -i '1i hidden byte planted;' "$name.pml"
        spin -a -DFAULT=planted "$@" "$name.pml"
        sed -i 's/^\s*planted = 0;/planted = atoi(getenv("PLANTED"));/' pan.c
        grep -q PLANTED pan.c
    fi
    # A planted fault is found sooner than an optimised program is compiled.
    gcc "$([ "$faults" = - ] && echo -O2 || echo -O0)" -DSAFETY -DMEMLIM=3000 -w -o pan pan.c
} >log 2>&1 || { cat log >&2; exit 1; }
for fault in $faults; do
    start=$(date +%s%N)
    # A fault is looked for in short runs of the model first.
    for most in $([ "$fault" = - ] && echo 8000000 || echo 2000 5000 50000); do
        PLANTED=$fault timeout 280 ./pan "-m$most" >out 2>&1 || true
        if grep -q 'errors: 1$' out; then break; fi
    done
    took=$(( ($(date +%s%N) - start) / 100000000 ))
    errors=$(sed -n 's/.*errors: \([0-9]*\)$/\1/p' out)
    states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' out)
    line="$name${*:+ $*}$([ "$fault" = - ] || echo " fault $fault"): ${states:-?} states, $((took / 10)).$((took % 10)) s"
    if [ "$fault" != - ]; then
        if [ "${errors:-0}" = 1 ]; then echo "$line, found: $(grep -m1 '^pan:1:' out | cut -c8-70)"
        else echo "FAILED: $line, not found"; fi
    elif [ "$errors" = 0 ] && ! grep -q 'search depth too small\|Search not completed' out; then
        echo "$line"
    else
        echo "FAILED: $line, ${errors:-did not end}: $(grep -m1 '^pan' out || true)"
    fi
done
rm -rf "$where"
END
chmod +x "$work/verify"

for model in "${models[@]}"; do
    head=$(sed '/\*\//q' "$model" | sed 's/ *\*\/.*//')
    grep -q 'run:' <<<"$head" || continue
    sed -n 's/^ *run: *//p' <<<"$head" | while read -r args; do
        echo "$model - $args"
    done
    named=$(grep -oE '(^|[ ]{2,})[0-9]+ [A-Za-z]' <<<"$head" | grep -oE '[0-9]+' | sort -n | tr '\n' ' ')
    tried=$(sed -n 's/^ *find \([0-9 ]*\):.*/\1/p' <<<"$head" | tr ' ' '\n' | sed '/^$/d' | sort -n | tr '\n' ' ')
    if [ "$named" != "$tried" ]; then
        echo "$model names the faults $named, and tries $tried" >&2
        exit 1
    fi
    sed -n 's/^ *find \([0-9 ]*\): *\(.*\)/\1:\2/p' <<<"$head" | while IFS=: read -r faults args; do
        echo "$model ${faults// /,} $args"
    done
done >"$work/runs"
sed -i 's/ *$//' "$work/runs"
# What takes longest first.
{ grep -E ' -( |$)' "$work/runs" || true; grep -vE ' -( |$)' "$work/runs"; } >"$work/order"
xargs -P 2 -L 1 "$work/verify" <"$work/order" | tee "$work/results"
runs=$(awk '{ print $2 }' "$work/runs" | tr ',' '\n' | wc -l)
passed=$(grep -vc '^FAILED' "$work/results" || true)
echo "$passed passed, $((runs - passed)) failed"
[ "$passed" -eq "$runs" ]
