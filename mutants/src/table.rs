//! Writes `docs/mutants.md`: which place each mutant stands in, what found it, and why some are not found.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::build::Arm;
use crate::find::{Kind, Mutant};
use crate::results::{Results, Row};
use crate::run::Verdict;

/// The modules of models that are about a file.
pub(crate) fn modules(file: &str) -> Vec<&str> {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs");
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        ["wait", "select"] => vec!["any"],
        ["wait", ..] => vec!["wait", "mutex", "condvar", "event", "timed"],
        ["facade", ..] => vec!["rwlock"],
        ["threads", ..] => vec!["threads"],
        ["raw", "spec", ..] => vec!["spec"],
        ["raw", "ring" | "chain"] => vec!["ring", "chain", "buffer"],
        ["raw", "slots" | "thread_local" | "thread_cell"] => vec!["slots", "thread_local", "thread_cell"],
        ["raw", "sleepers"] => vec!["sleepers", "condvar", "buffer"],
        ["raw", name, ..] => vec![name],
        _ => Vec::new(),
    }
}

/// What is known of a mutant in all arms together.
enum Known {
    Killed(Arm, String),
    Hung(Arm, String),
    Survived,
    Unreached,
    NotRun,
}

fn known(results: &Results, key: &str) -> Known {
    let rows: Vec<(Arm, &Row)> =
        Arm::ALL.into_iter().filter_map(|arm| results.of(arm, key).map(|row| (arm, row))).collect();
    for (arm, row) in &rows {
        if let Verdict::Killed(by) = &row.verdict {
            return Known::Killed(*arm, by.clone());
        }
    }
    for (arm, row) in &rows {
        if let Verdict::Hung(by) = &row.verdict {
            return Known::Hung(*arm, by.clone());
        }
    }
    if rows.iter().any(|(_, row)| matches!(row.verdict, Verdict::Survived { .. })) {
        Known::Survived
    } else if rows.is_empty() {
        Known::NotRun
    } else {
        Known::Unreached
    }
}

/// What was written by hand about those that survive: lines of file, function, change and reason, in the
/// first three of which a `*` at the end stands for anything.
pub(crate) struct Reasons(Vec<[String; 4]>);

impl Reasons {
    pub(crate) fn read(root: &Path) -> Result<Self, String> {
        let path = &root.join("mutants/survivors.txt");
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let parts = lines.map(|line| {
            let parts: Vec<String> = line.splitn(4, " | ").map(str::to_owned).collect();
            parts.try_into().map_err(|_| format!("{}: {line}", path.display()))
        });
        parts.collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn of(&self, mutant: &Mutant) -> Option<&str> {
        let matches = |pattern: &str, text: &str| match pattern.strip_suffix('*') {
            Some(prefix) => text.starts_with(prefix),
            None => text == pattern,
        };
        let fits = |reason: &&[String; 4]| {
            matches(&reason[0], &mutant.file)
                && matches(&reason[1], &mutant.function)
                && matches(&reason[2], &mutant.change)
        };
        self.0.iter().find(fits).map(|reason| reason[3].as_str())
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn place(mutant: &Mutant) -> String {
    format!("`{}`", cell(mutant.file.trim_start_matches("src/")))
}

fn finder(arm: Arm, by: &str) -> String {
    let by = by.trim_start_matches("models::");
    if arm == Arm::Test { format!("test `{by}`") } else { format!("`{by}`") }
}

#[derive(Default)]
struct Count {
    all: usize,
    model: usize,
    specification: usize,
    test: usize,
    hung: usize,
    survived: usize,
    unreached: usize,
    not_run: usize,
}

impl Count {
    fn add(&mut self, known: &Known) {
        self.all += 1;
        *match known {
            Known::Killed(Arm::Loom, _) => &mut self.model,
            Known::Killed(Arm::Spec, _) => &mut self.specification,
            Known::Killed(Arm::Test, _) => &mut self.test,
            Known::Hung(..) => &mut self.hung,
            Known::Survived => &mut self.survived,
            Known::Unreached => &mut self.unreached,
            Known::NotRun => &mut self.not_run,
        } += 1;
    }

    fn row(&self) -> String {
        let Self { all, model, specification, test, hung, survived, unreached, not_run } = self;
        format!(
            "{all} | {model} | {specification} | {test} | {hung} | {survived} | {unreached} | {not_run} |"
        )
    }
}

const COLUMNS: &str = "mutants | killed by a model | by the specifications' models | by a test | by a hang | survived | not reached | not run |";
const LINE: &str = "---|---|---|---|---|---|---|---|";

/// Writes the page, or only says whether it is as it would be written.
pub(crate) fn write(
    root: &Path,
    mutants: &[Mutant],
    results: &Results,
    left_out: &BTreeSet<String>,
    check: bool,
) -> Result<(), String> {
    let reasons = Reasons::read(root)?;
    let mut by_key = BTreeMap::new();
    for mutant in mutants.iter().filter(|mutant| !left_out.contains(&mutant.key())) {
        by_key.insert(mutant.key(), mutant);
    }
    let mut kinds: BTreeMap<Kind, Count> = BTreeMap::new();
    let mut files: BTreeMap<&str, Count> = BTreeMap::new();
    let (mut orderings, mut faults, mut survivors) = (String::new(), String::new(), String::new());
    let mut unexplained = Vec::new();
    let mut open = 0;
    for (key, mutant) in &by_key {
        let known = known(results, key);
        kinds.entry(mutant.kind).or_default().add(&known);
        if mutant.kind != Kind::Ordering && mutant.kind != Kind::Fault {
            files.entry(&mutant.file).or_default().add(&known);
        }
        let reason = reasons.of(mutant);
        let found = match &known {
            Known::Killed(arm, by) => finder(*arm, by),
            Known::Hung(arm, by) => format!("{} does not end", finder(*arm, by)),
            Known::Survived => "survives: see below".to_owned(),
            Known::Unreached => "no model and no test comes here: see below".to_owned(),
            Known::NotRun => "not run".to_owned(),
        };
        let function = cell(&mutant.function);
        let change = cell(&mutant.change);
        match mutant.kind {
            Kind::Ordering => {
                let _ = writeln!(orderings, "| {} | `{function}` | {change} | {found} |", place(mutant));
            }
            Kind::Fault => {
                let _ = writeln!(faults, "| {change} | {} | {found} |", place(mutant));
            }
            _ => {}
        }
        if matches!(known, Known::Survived | Known::Unreached) {
            if let Some(reason) = reason {
                let _ = writeln!(
                    survivors,
                    "| {} | `{function}` | `{change}` | {} |",
                    place(mutant),
                    cell(reason)
                );
            } else if matches!(mutant.kind, Kind::Ordering | Kind::Fault) {
                unexplained.push(key.replace('\t', " | "));
            } else {
                open += 1;
            }
        }
    }
    if !unexplained.is_empty() {
        return Err(format!("no reason in mutants/survivors.txt:\n{}", unexplained.join("\n")));
    }
    let dates: BTreeSet<&str> = results.rows.values().map(|row| row.date.as_str()).collect();
    let mut page = fs::read_to_string(root.join("mutants/head.md")).map_err(|error| error.to_string())?;
    let _ = writeln!(
        page,
        "\n## What came of them\n\nRun from {} to {}.\n\n| kind | {COLUMNS}\n|---|{LINE}",
        dates.first().unwrap_or(&"-"),
        dates.last().unwrap_or(&"-")
    );
    for (kind, count) in &kinds {
        let _ = writeln!(page, "| {} | {}", kind.name(), count.row());
    }
    let _ = writeln!(
        page,
        "\n## Orderings\n\n| file | function | change | found by |\n|---|---|---|---|\n{orderings}"
    );
    let _ =
        writeln!(page, "## Faults put in by hand\n\n| fault | file | found by |\n|---|---|---|\n{faults}");
    let _ = writeln!(
        page,
        "## Survivors\n\nAnd {open} other changes of logic that survived, or that nothing comes to, have not been looked at \
         one by one: `results.tsv` has them.\n\n| file | function | change | why, and what else was tried |\n|---|---|---|---|\n\
         {survivors}"
    );
    let _ = writeln!(page, "## Logic, by file\n\n| file | {COLUMNS}\n|---|{LINE}");
    for (file, count) in &files {
        let _ = writeln!(page, "| `{}` | {}", file.trim_start_matches("src/"), count.row());
    }
    let path = root.join("docs/mutants.md");
    if check {
        let there = fs::read_to_string(&path).unwrap_or_default();
        return if there == page {
            Ok(())
        } else {
            Err("docs/mutants.md is not what `cargo mutants table` writes".to_owned())
        };
    }
    fs::write(&path, page).map_err(|error| format!("{}: {error}", path.display()))
}
