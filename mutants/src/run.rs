//! Runs tests, with a mutant picked or none.

use std::collections::{BTreeSet, HashMap};
use std::env;
use std::fs::{self, File};
use std::path::Path;
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use crate::build::{Arm, Built, Test};

/// How a run of a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Passed,
    Failed,
    /// It took longer than it may, or more memory.
    Stopped,
}

/// The processor time that a process has taken so far, where the system tells.
fn processor_time(process: u32) -> Option<f64> {
    const TICKS: f64 = 100.0;
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS)
}

/// Returns whether a test that failed says so of the memory that it may take, and nothing else.
fn is_out_of_memory(said: &str) -> bool {
    const SIGNS: [&str; 3] = ["memory allocation of", "Cannot allocate memory", "OutOfMemory"];
    SIGNS.iter().any(|sign| said.contains(sign))
}

/// Runs one test in a process of its own, with at most so many seconds of processor time. Returns how many it
/// took.
fn run(arm: Arm, root: &Path, test: &Test, seconds: u64, variables: &[(&str, &str)]) -> (End, f64) {
    // A model that grows without end ends, too. Real threads take more room than they use.
    let memory = if arm == Arm::Test { "unlimited" } else { "6000000" };
    let limits = format!("ulimit -c 0; ulimit -t {seconds}; ulimit -v {memory}; exec \"$0\" \"$@\"");
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Relaxed);
    let said = env::temp_dir().join(format!("lockwork-mutants-{}-{number}", process::id()));
    let file = File::create(&said).and_then(|file| Ok((file.try_clone()?, file)));
    let (output, errors) =
        file.map_or_else(|_| (Stdio::null(), Stdio::null()), |(one, two)| (one.into(), two.into()));
    let child = Command::new("sh")
        .args(["-c", &limits])
        .arg(&test.binary)
        .args(["--exact", &test.name, "--test-threads", "1", "--quiet"])
        .current_dir(if arm == Arm::Test { root.to_owned() } else { root.join("loom-tests") })
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn();
    let ended = child.map_or((End::Stopped, 0.0), |child| watch(arm, child, seconds));
    let said_what = fs::read(&said).unwrap_or_default();
    let _ = fs::remove_file(&said);
    if ended.0 == End::Failed && is_out_of_memory(&String::from_utf8_lossy(&said_what)) {
        return (End::Stopped, ended.1);
    }
    ended
}

/// Waits until the process has ended, or ends it.
fn watch(arm: Arm, mut child: Child, seconds: u64) -> (End, f64) {
    // Steps are counted, not time: this process and the test may both be stopped for a while.
    let (mut waited, mut step, mut took) = (Duration::ZERO, Duration::from_millis(1), None);
    // A test of real threads may wait without end, without using a processor; a model's deadlock ends it.
    let longest = Duration::from_secs(if arm == Arm::Test { 2 * seconds } else { 200 * seconds });
    loop {
        took = processor_time(child.id()).or(took);
        if let Ok(Some(status)) = child.try_wait() {
            let end = match status.code() {
                Some(0) => End::Passed,
                Some(_) => End::Failed,
                None if ended_by_limit(status) => End::Stopped,
                // Aborted, or worse.
                None => End::Failed,
            };
            return (end, took.unwrap_or(waited.as_secs_f64()));
        }
        if waited > longest {
            let _ = child.kill();
            let _ = child.wait();
            return (End::Stopped, took.unwrap_or(waited.as_secs_f64()));
        }
        thread::sleep(step);
        waited += step;
        step = (step * 2).min(Duration::from_millis(20));
    }
}

#[cfg(unix)]
fn ended_by_limit(status: std::process::ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    const SIGKILL: i32 = 9;
    const SIGXCPU: i32 = 24;
    matches!(status.signal(), Some(SIGKILL | SIGXCPU))
}

#[cfg(not(unix))]
fn ended_by_limit(_: std::process::ExitStatus) -> bool {
    false
}

/// Runs `work` for each of `items`, `jobs` at a time, in order.
pub(crate) fn each<T: Send>(jobs: usize, items: Vec<T>, work: impl Fn(T) + Sync) {
    let items = std::sync::Mutex::new(items.into_iter());
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let next = items.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).next();
                    let Some(item) = next else { return };
                    work(item);
                }
            });
        }
    });
}

/// Runs each test without a mutant, and notes which places it comes to and how long it takes. What fails is
/// of no use and left out; what takes long is stopped, and had passed so far.
pub(crate) fn explore(
    built: &Built,
    cache: &Path,
    jobs: usize,
    only: &[String],
) -> Result<Vec<Test>, String> {
    let mut tests = built.tests()?;
    tests.retain(|test| only.is_empty() || only.iter().any(|part| test.name.contains(part.as_str())));
    let hash = format!("{:016x} {}", built.hash(), only.join(" "));
    if let Some(known) = read_cache(cache, &hash) {
        tests.retain_mut(|test| {
            let key = format!("{} {}", test.binary.display(), test.name);
            known.get(&key).is_some_and(|(took, reached)| {
                test.took = *took;
                test.reached.clone_from(reached);
                true
            })
        });
        return Ok(tests);
    }
    let all = tests.len();
    eprintln!("{all} tests are run without a mutant, to see which places they come to");
    let explored = std::sync::Mutex::new(Vec::new());
    each(jobs, tests.into_iter().enumerate().collect(), |(number, mut test)| {
        let file = cache.with_extension(format!("{number}"));
        let _ = fs::remove_file(&file);
        let variables = [("LOCKWORK_MUTANTS_REACHED", &*file.to_string_lossy()), QUICK];
        let (end, took) = run(built.arm, &built.root, &test, built.arm.look(), &variables);
        test.took = took;
        let reached = fs::read_to_string(&file).unwrap_or_default();
        test.reached = reached.lines().filter_map(|line| line.parse().ok()).collect();
        let _ = fs::remove_file(&file);
        // A test that is stopped has not failed: models are explored for longer than this takes.
        let useful = end == End::Passed || (end == End::Stopped && built.arm != Arm::Test);
        if useful && !test.reached.is_empty() {
            explored.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(test);
        } else if !useful {
            eprintln!("left out, {end:?} without a mutant: {}", test.name);
        }
    });
    let mut tests = explored.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    tests.sort_by(|a, b| a.took.total_cmp(&b.took));
    eprintln!("{} of them come to some", tests.len());
    let mut lines = vec![hash];
    for test in &tests {
        let reached: Vec<String> = test.reached.iter().map(usize::to_string).collect();
        lines.push(format!(
            "{} {}\t{:.3}\t{}",
            test.binary.display(),
            test.name,
            test.took,
            reached.join(" ")
        ));
    }
    fs::write(cache, lines.join("\n") + "\n").map_err(|error| format!("{}: {error}", cache.display()))?;
    Ok(tests)
}

type Known = HashMap<String, (f64, BTreeSet<usize>)>;

fn read_cache(cache: &Path, hash: &str) -> Option<Known> {
    let text = fs::read_to_string(cache).ok()?;
    let mut lines = text.lines();
    if lines.next() != Some(hash) {
        return None;
    }
    let mut known = Known::new();
    for line in lines {
        let mut parts = line.split('\t');
        let (name, took, reached) = (parts.next()?, parts.next()?, parts.next()?);
        let reached = reached.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        known.insert(name.to_owned(), (took.parse().ok()?, reached));
    }
    Some(known)
}

/// What came of a mutant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// A test failed.
    Killed(String),
    /// No test failed, but this one, of real threads, did not end in ten times the time that it takes.
    Hung(String),
    /// So many tests passed. The rest, if any, were not run, or not to their end, for want of time.
    Survived { ran: usize, of: usize },
    /// No test comes to its place.
    Unreached,
}

/// Models explore two preemptions at most, which is quick and finds most of what there is to find.
const QUICK: (&str, &str) = ("BOUND", "2");

/// Runs those tests that come to the mutant's place, the likely and the fast first, until one fails: models
/// with few preemptions first, then whole. `budget` is in seconds of processor time.
///
/// A model that is stopped says nothing: a changed one may have more interleavings, and one that loops
/// without end comes to loom's limit of branches, and fails.
pub(crate) fn judge(built: &Built, mutant: usize, tests: &[&Test], budget: f64) -> Verdict {
    if tests.is_empty() {
        return Verdict::Unreached;
    }
    let (of, mut passed, mut spent) = (tests.len(), 0, 0.0);
    for test in tests.iter().filter(|_| built.arm != Arm::Test) {
        let (end, took) = attempt(built, mutant, test, built.arm.look() * 3, true);
        spent += took;
        if end == End::Failed {
            return Verdict::Killed(test.name.clone());
        }
        if spent > budget / 2.0 {
            break;
        }
    }
    for test in tests {
        if spent > budget {
            break;
        }
        let limit = if built.arm == Arm::Test { TEST_LIMIT } else { (budget - spent).max(5.0) as u64 };
        let (end, took) = attempt(built, mutant, test, limit, false);
        spent += took;
        // Real threads and clocks: once may be an accident, also one of a slow machine.
        let twice = || built.arm != Arm::Test || attempt(built, mutant, test, limit, false).0 == end;
        match end {
            End::Passed => passed += 1,
            End::Failed if twice() => return Verdict::Killed(test.name.clone()),
            End::Stopped if built.arm == Arm::Test && test.took * 10.0 < TEST_LIMIT as f64 && twice() => {
                return Verdict::Hung(test.name.clone());
            }
            End::Failed | End::Stopped => {}
        }
    }
    Verdict::Survived { ran: passed, of }
}

/// Seconds of processor time for an ordinary test. Those that take more than a tenth of it cannot hang.
const TEST_LIMIT: u64 = 20;

fn attempt(built: &Built, mutant: usize, test: &Test, seconds: u64, quick: bool) -> (End, f64) {
    let number = mutant.to_string();
    let variables = [("LOCKWORK_MUTANT", &*number), QUICK];
    run(built.arm, &built.root, test, seconds, &variables[..if quick { 2 } else { 1 }])
}
