//! Builds the changed tree, and knows its tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::find::{Kind, Mutant};
use crate::write::{self, FIRST, Written};

/// A way to build and test the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arm {
    /// The models, on loom.
    Loom,
    /// The specifications and their models.
    Spec,
    /// The ordinary build and its tests.
    Test,
}

impl Arm {
    pub(crate) const ALL: [Self; 3] = [Self::Loom, Self::Spec, Self::Test];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Loom => "loom",
            Self::Spec => "spec",
            Self::Test => "test",
        }
    }

    /// The files of which it runs the code.
    pub(crate) fn runs(self, file: &str) -> bool {
        let within = |prefixes: &[&str]| prefixes.iter().any(|prefix| file.starts_with(prefix));
        match self {
            Self::Loom => {
                within(&["src/wait/", "src/raw/", "src/threads/", "src/facade/model"])
                    && !Self::Spec.runs(file)
            }
            Self::Spec => within(&["src/raw/spec/", "src/facade/spec.rs"]),
            Self::Test => {
                within(&["src/wait/", "src/raw/", "src/threads/", "src/facade/real"])
                    && !Self::Spec.runs(file)
            }
        }
    }

    fn cargo(self) -> &'static [&'static str] {
        match self {
            Self::Loom => &["loom"],
            Self::Spec => &["loom-spec"],
            Self::Test => &["test", "--package", "lockwork", "--lib", "--test", "lockwork"],
        }
    }

    /// For how many seconds of processor time a test is looked at, without a mutant. A model has come to
    /// nearly all its places by then, long before it has come to them in all orders.
    pub(crate) const fn look(self) -> u64 {
        match self {
            Self::Loom | Self::Spec => 1,
            Self::Test => 10,
        }
    }
}

/// One test of a built tree.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    pub(crate) name: String,
    pub(crate) binary: PathBuf,
    /// Seconds that it took without a mutant, if it has been run.
    pub(crate) took: f64,
    /// The mutants whose place it comes to.
    pub(crate) reached: BTreeSet<usize>,
}

/// A tree with its mutants, built.
pub(crate) struct Built {
    pub(crate) arm: Arm,
    pub(crate) root: PathBuf,
    pub(crate) mutants: Vec<Mutant>,
    /// Those that do not compile.
    pub(crate) left_out: BTreeSet<usize>,
    pub(crate) binaries: Vec<PathBuf>,
}

/// Copies the tree with these mutants in it, and compiles the copy. A mutant that does not compile is left
/// out.
pub(crate) fn build(
    arm: Arm,
    from: &Path,
    to: &Path,
    mutants: Vec<Mutant>,
    known: &BTreeSet<String>,
) -> Result<Built, String> {
    let mut left_out: BTreeSet<usize> =
        (0..mutants.len()).filter(|index| known.contains(&mutants[*index].key())).collect();
    for _ in 0..60 {
        let written = write::copy(from, to, &mutants, &left_out)
            .map_err(|error| format!("{}: {error}", to.display()))?;
        match compile(arm, to, &written, &mutants)? {
            Ok(binaries) => {
                return Ok(Built { arm, root: to.to_owned(), mutants, left_out, binaries });
            }
            Err(wrong) => {
                let names: Vec<String> =
                    wrong.iter().map(|wrong| mutants[*wrong].key().replace('\t', " | ")).collect();
                eprintln!("{} mutants do not compile:\n  {}", wrong.len(), names.join("\n  "));
                left_out.extend(wrong);
            }
        }
    }
    Err("still does not compile".to_owned())
}

type Compiled = Result<Vec<PathBuf>, BTreeSet<usize>>;

fn compile(
    arm: Arm,
    root: &Path,
    written: &BTreeMap<String, Written>,
    mutants: &[Mutant],
) -> Result<Compiled, String> {
    let output = Command::new("cargo")
        .args(arm.cargo())
        .args(["--no-run", "--message-format", "json"])
        .current_dir(root)
        // They would take the place of those that choose the arm.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .map_err(|error| format!("cargo: {error}"))?;
    let mut binaries = Vec::new();
    let mut wrong = BTreeSet::new();
    let mut unexplained = String::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
        if let Some(binary) = message["executable"].as_str() {
            binaries.push(PathBuf::from(binary));
        }
        let message = &message["message"];
        if message["level"] != "error" {
            continue;
        }
        let spans = message["spans"].as_array().map(Vec::as_slice).unwrap_or_default();
        let primary = spans.iter().filter(|span| span["is_primary"] == true);
        let found: Vec<usize> = primary.chain(spans).filter_map(|span| mutant_at(span, written)).collect();
        if let Some(first) = found.first() {
            wrong.insert(*first);
        } else if let Some(cause) = spans.iter().find_map(|span| cause_of(span, written, mutants)) {
            wrong.insert(cause);
        } else if !spans.is_empty() {
            unexplained.push_str(message["rendered"].as_str().unwrap_or_default());
        }
    }
    if output.status.success() {
        Ok(Ok(binaries))
    } else if wrong.is_empty() {
        Err(format!("{unexplained}\n{}", String::from_utf8_lossy(&output.stderr)))
    } else {
        Ok(Err(wrong))
    }
}

fn mutant_at(span: &Value, written: &BTreeMap<String, Written>) -> Option<usize> {
    written.get(span["file_name"].as_str()?)?.at(&place(span)?)
}

fn place(span: &Value) -> Option<Range<usize>> {
    let offset = |name: &str| span[name].as_u64().and_then(|at| usize::try_from(at).ok());
    Some(offset("byte_start")?..offset("byte_end")?)
}

/// The mutant to be suspected of an error outside of all: a statement left out shortly before, best one that
/// drops what is used no more.
fn cause_of(span: &Value, written: &BTreeMap<String, Written>, mutants: &[Mutant]) -> Option<usize> {
    let before = written.get(span["file_name"].as_str()?)?.before(&place(span)?);
    let mut deleted = before.into_iter().filter(|mutant| mutants[*mutant].kind == Kind::Deleted);
    let nearest = deleted.next()?;
    let function = &mutants[nearest].function;
    let drops = deleted
        .take_while(|mutant| mutants[*mutant].function == *function)
        .find(|mutant| mutants[*mutant].change.contains("drop("));
    Some(drops.unwrap_or(nearest))
}

impl Built {
    /// The names of all tests.
    pub(crate) fn tests(&self) -> Result<Vec<Test>, String> {
        let mut tests = Vec::new();
        for binary in &self.binaries {
            let output = Command::new(binary)
                .args(["--list", "--format", "terse"])
                .output()
                .map_err(|error| format!("{}: {error}", binary.display()))?;
            for line in String::from_utf8_lossy(&output.stdout).lines() {
                // These are about the source, which is a changed one.
                if let Some(name) = line.strip_suffix(": test").filter(|name| !is_about_source(name)) {
                    let (name, binary) = (name.to_owned(), binary.clone());
                    tests.push(Test { name, binary, took: f64::INFINITY, reached: BTreeSet::new() });
                }
            }
        }
        if tests.is_empty() { Err("it has no tests".to_owned()) } else { Ok(tests) }
    }

    /// What stands for the binaries' contents.
    pub(crate) fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for binary in &self.binaries {
            fs::read(binary).unwrap_or_default().hash(&mut hasher);
        }
        hasher.finish()
    }

    /// The mutant with this number, if there is one.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = usize> {
        (0..self.mutants.len()).filter(|index| !self.left_out.contains(index)).map(|index| index + FIRST)
    }
}

fn is_about_source(name: &str) -> bool {
    name.starts_with("tidy::") || name.starts_with("proofs::") || name.contains("memory_is_flat")
}
