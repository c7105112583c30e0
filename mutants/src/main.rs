//! Changes lockwork's source, one place at a time, and sees which model or test notices.
//!
//! All mutants of a tree are compiled into one binary, in a copy of the tree: each place becomes a choice
//! between what stood there and what it may become, and the environment says which mutant is picked.
//! `README.md` beside this program says how it is used, `docs/mutants.md` what came of it.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a program of processes and files, which does not use what it tests"
)]

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

mod build;
mod find;
mod results;
mod run;
mod table;
#[cfg(test)]
mod tests;
mod write;

use build::{Arm, Built, Test};
use find::{Kind, Mutant};
use results::Results;
use run::Verdict;

const USAGE: &str = "\
usage: cargo mutants COMMAND [OPTION ..] [TEXT ..]

  list      names the mutants
  run       runs them, and writes what came of it to mutants/results.tsv
  sample    runs some of them: what a model killed when it was run last must be killed again
  table     writes docs/mutants.md

  --arm loom|spec|test    the models (unless another is named), the specifications, the ordinary tests
  --kind KIND             ordering, deleted, condition, bits, value, answer; fault, for those of mutants/faults.txt
  --tests TEXT            only tests with this in their names; may be given again
  --survivors             those that survived in the models
  --again                 those, too, that have been run
  --budget SECONDS        for one mutant, after which it has survived what was run (120)
  --seconds SECONDS       for all together, the build not included, after which no other is begun
  --seed NUMBER           the order in which they are taken
  --jobs NUMBER           how many tests run at a time (2)
  --check                 table: only says whether it is as it would be written

TEXT is a part of the name of a mutant: of its file, its function or the change. One of several is enough.";

const LEFT_OUT: &str = "mutants/left-out.tsv";

struct Options {
    command: String,
    arm: Arm,
    kinds: Vec<Kind>,
    tests: Vec<String>,
    survivors: bool,
    again: bool,
    check: bool,
    budget: f64,
    seconds: u64,
    seed: Option<u64>,
    jobs: usize,
    names: Vec<String>,
}

fn options() -> Result<Options, String> {
    let mut arguments = env::args().skip(1);
    let mut options = Options {
        command: arguments.next().ok_or(USAGE)?,
        arm: Arm::Loom,
        kinds: Vec::new(),
        tests: Vec::new(),
        survivors: false,
        again: false,
        check: false,
        budget: 120.0,
        seconds: u64::MAX,
        seed: None,
        jobs: 2,
        names: Vec::new(),
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} takes a value"));
        let number = |value: String| value.parse::<u64>().map_err(|error| format!("{value}: {error}"));
        match argument.as_str() {
            "--arm" => {
                let value = value()?;
                let arm = Arm::ALL.into_iter().find(|arm| arm.name() == value);
                options.arm = arm.ok_or_else(|| format!("there is no arm {value}"))?;
            }
            "--kind" => {
                let value = value()?;
                options
                    .kinds
                    .push(Kind::from_name(&value).ok_or_else(|| format!("there is no kind {value}"))?);
            }
            "--tests" => options.tests.push(value()?),
            "--survivors" => options.survivors = true,
            "--again" => options.again = true,
            "--check" => options.check = true,
            "--budget" => options.budget = number(value()?)? as f64,
            "--seconds" => options.seconds = number(value()?)?,
            "--seed" => options.seed = Some(number(value()?)?),
            "--jobs" => options.jobs = usize::try_from(number(value()?)?).unwrap_or(1).max(1),
            option if option.starts_with("--") => {
                return Err(format!("there is no option {option}\n{USAGE}"));
            }
            _ => options.names.push(argument),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    match options().and_then(|options| work(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn work(options: &Options) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no workspace")?;
    let mut results = Results::read(&root.join("mutants/results.tsv"))?;
    match options.command.as_str() {
        "list" => {
            let mutants = mutants(root, options)?;
            for mutant in mutants.iter().filter(|mutant| is_wanted(options, mutant)) {
                println!("{}:{}\t{}", mutant.file, mutant.line, mutant.key());
            }
            Ok(())
        }
        "run" => run_all(root, options, &mut results),
        "sample" => sample(root, options, &results),
        "table" => {
            let mut mutants = mutants(root, options)?;
            mutants.extend(write::mutants(root, &files(root, Arm::Test)?)?);
            mutants.extend(write::mutants(root, &files(root, Arm::Spec)?)?);
            mutants.extend(faults(root)?);
            table::write(root, &mutants, &results, &left_out(root), options.check)
        }
        other => Err(format!("there is no command {other}\n{USAGE}")),
    }
}

fn files(root: &Path, arm: Arm) -> Result<Vec<String>, String> {
    let files = write::files(root, &["src/"]).map_err(|error| error.to_string())?;
    Ok(files.into_iter().filter(|file| arm.runs(file)).collect())
}

fn faults(root: &Path) -> Result<Vec<Mutant>, String> {
    let path = root.join("mutants/faults.txt");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    write::faults(root, &text)
}

/// The mutants of the arm: those made by hand, or all others. They are two trees, as they change the same
/// places.
fn mutants(root: &Path, options: &Options) -> Result<Vec<Mutant>, String> {
    if options.kinds == [Kind::Fault] {
        return faults(root);
    }
    let mut mutants = write::mutants(root, &files(root, options.arm)?)?;
    // Of the model itself only what stands for the real arm's orderings is code that can be right or wrong.
    mutants.retain(|mutant| {
        !mutant.file.starts_with("src/facade/model")
            || mutant.kind == Kind::Ordering
            || (mutant.kind == Kind::Deleted && mutant.change.contains("fence"))
    });
    Ok(mutants)
}

fn is_wanted(options: &Options, mutant: &Mutant) -> bool {
    let key = mutant.key();
    (options.kinds.is_empty() || options.kinds.contains(&mutant.kind))
        && (options.names.is_empty() || options.names.iter().any(|name| key.contains(name.as_str())))
}

/// The directory of the copy, outside the tree: cargo would take the tree's own settings for it, too.
fn directory(root: &Path, options: &Options) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    root.hash(&mut hasher);
    let base = env::var_os("MUTANTS_DIR").map_or_else(
        || env::temp_dir().join(format!("lockwork-mutants-{:08x}", hasher.finish() >> 32)),
        PathBuf::from,
    );
    let set = if options.kinds == [Kind::Fault] { "-faults" } else { "" };
    base.join(format!("{}{set}", options.arm.name()))
}

fn build_copy(root: &Path, options: &Options) -> Result<(Built, PathBuf), String> {
    let directory = directory(root, options);
    let tree = directory.join("tree");
    fs::create_dir_all(&tree).map_err(|error| format!("{}: {error}", tree.display()))?;
    let start = Instant::now();
    let built = build::build(options.arm, root, &tree, mutants(root, options)?, &left_out(root))?;
    eprintln!(
        "{} mutants in {}, built in {} s",
        built.mutants.len() - built.left_out.len(),
        tree.display(),
        start.elapsed().as_secs()
    );
    Ok((built, directory))
}

/// The keys of those mutants that were found not to compile: a build need not find that out again.
fn left_out(root: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(root.join(LEFT_OUT)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn run_all(root: &Path, options: &Options, results: &mut Results) -> Result<(), String> {
    let (built, directory) = build_copy(root, options)?;
    let mut known = left_out(root);
    known.extend(built.left_out.iter().map(|index| built.mutants[*index].key()));
    let known: Vec<String> = known.into_iter().map(|key| key + "\n").collect();
    fs::write(root.join(LEFT_OUT), known.concat()).map_err(|error| format!("{LEFT_OUT}: {error}"))?;
    let tests = run::explore(&built, &directory.join("reached"), options.jobs, &options.tests)?;
    let mut wanted: Vec<usize> = built
        .numbers()
        .filter(|number| {
            let mutant = &built.mutants[number - write::FIRST];
            let key = mutant.key();
            let survived = Arm::ALL.into_iter().filter(|arm| *arm != options.arm).any(|arm| {
                results.of(arm, &key).is_some_and(|row| {
                    matches!(row.verdict, Verdict::Survived { .. } | Verdict::Unreached | Verdict::Hung(_))
                })
            });
            is_wanted(options, mutant)
                && (!options.survivors || survived)
                && (options.again || results.of(options.arm, &key).is_none())
        })
        .collect();
    shuffle(&mut wanted, options.seed.unwrap_or(1));
    // Orderings first, whatever the time.
    wanted.sort_by_key(|number| built.mutants[number - write::FIRST].kind);
    let (all, start) = (wanted.len(), Instant::now());
    let shared = std::sync::Mutex::new((results, 0));
    run::each(options.jobs, wanted, |number| {
        if start.elapsed() > Duration::from_secs(options.seconds) {
            return;
        }
        let mutant = &built.mutants[number - write::FIRST];
        let verdict = run::judge(&built, number, &order(mutant, number, &tests, None), options.budget);
        let mut shared = shared.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        shared.1 += 1;
        eprintln!("{}/{all} {}: {verdict:?}", shared.1, mutant.key().replace('\t', " | "));
        shared.0.set(built.arm, mutant.key(), mutant.kind, verdict);
        if let Err(error) = shared.0.write() {
            eprintln!("{error}");
        }
    });
    Ok(())
}

/// The tests that come to a mutant, the one that killed it last first, then those of its own file, and the
/// fast before the slow.
fn order<'a>(mutant: &Mutant, number: usize, tests: &'a [Test], last: Option<&str>) -> Vec<&'a Test> {
    let related = table::modules(&mutant.file);
    let mut order: Vec<&Test> = tests.iter().filter(|test| test.reached.contains(&number)).collect();
    let cost = |test: &Test| {
        if last == Some(&test.name) {
            return -1.0;
        }
        let is_related = test.name.split("::").any(|part| related.contains(&part));
        test.took.max(0.01) * if is_related { 1.0 } else { 5.0 }
    };
    order.sort_by(|a, b| cost(a).total_cmp(&cost(b)));
    order
}

/// Runs mutants in a random order until the time is over. What was killed by a model must be killed by it
/// again, or by another of its file; so must what has never been run.
fn sample(root: &Path, options: &Options, results: &Results) -> Result<(), String> {
    let (built, _) = build_copy(root, options)?;
    let tests = built.tests()?;
    let reasons = table::Reasons::read(root)?;
    let start = Instant::now();
    let seed = options.seed.unwrap_or_else(day);
    let mut wanted: Vec<usize> = built
        .numbers()
        .filter(|number| {
            let mutant = &built.mutants[number - write::FIRST];
            let row = results.of(options.arm, &mutant.key());
            let killed = row.is_some_and(|row| matches!(row.verdict, Verdict::Killed(_)));
            let is_new = row.is_none() && mutant.kind == Kind::Ordering && reasons.of(mutant).is_none();
            // An ordering that is new is looked at in any case; other changes of logic wait for a whole run.
            is_wanted(options, mutant) && (killed || is_new)
        })
        .collect();
    let all = wanted.len();
    shuffle(&mut wanted, seed);
    wanted
        .sort_by_key(|number| results.of(options.arm, &built.mutants[number - write::FIRST].key()).is_some());
    let shared = std::sync::Mutex::new((0, Vec::new()));
    run::each(options.jobs, wanted, |number| {
        if start.elapsed() > Duration::from_secs(options.seconds) {
            return;
        }
        let mutant = &built.mutants[number - write::FIRST];
        let key = mutant.key();
        let last = results.of(options.arm, &key).and_then(|row| match &row.verdict {
            Verdict::Killed(by) => Some(by.as_str()),
            _ => None,
        });
        let related = table::modules(&mutant.file);
        let mut order: Vec<&Test> = tests
            .iter()
            .filter(|test| {
                last == Some(&test.name) || test.name.split("::").any(|part| related.contains(&part))
            })
            .collect();
        order.sort_by_key(|test| last != Some(&test.name));
        let verdict = run::judge(&built, number, &order, options.budget);
        let mut shared = shared.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        shared.0 += 1;
        let name = key.replace('\t', " | ");
        match verdict {
            Verdict::Killed(by) if last == Some(&by) => println!("killed: {name}: {by}"),
            Verdict::Killed(by) if last.is_none() => {
                println!("killed, and not in the table yet: {name}: {by}")
            }
            Verdict::Killed(by) => println!("killed by another than before: {name}: {by}"),
            verdict => {
                println!("NOT KILLED: {name}: {verdict:?}");
                shared.1.push(name);
            }
        }
    });
    let (ran, survived) = shared.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    println!("{ran} of {all} mutants, seed {seed}: {} not killed", survived.len());
    if ran == 0 {
        return Err("no time for any".to_owned());
    }
    if survived.is_empty() { Ok(()) } else { Err(survived.join("\n")) }
}

fn day() -> u64 {
    results::today().bytes().fold(0, |seed, byte| seed * 31 + u64::from(byte))
}

/// Puts them in an order that the seed alone decides.
fn shuffle(numbers: &mut [usize], seed: u64) {
    numbers.sort_by_cached_key(|number| {
        let mut hasher = DefaultHasher::new();
        (seed, number).hash(&mut hasher);
        hasher.finish()
    });
}
