//! The litmus tests of `proofs/litmus`, each execution of each under the memory model of its language: what
//! a file expects is what is found.

mod aarch64;
mod execution;
mod machine_shapes;
mod program;
mod rc11;
mod relation;
mod shapes;

use std::fs;
use std::path::PathBuf;

use aarch64::Machine;
use program::Program;
use rc11::{CPP20, Found, RC11};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The litmus tests of a language, each with its name.
fn tests_in(language: &str) -> Vec<(String, String)> {
    let folder = root().join("proofs/litmus");
    let mut tests: Vec<(String, String)> = (fs::read_dir(&folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (path.file_stem().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap())
        })
        .filter(|(_, text)| text.split(' ').next() == Some(language))
        .collect();
    tests.sort();
    tests
}

/// What a file says of its last line: whether it comes to that, and which locations are raced for.
fn expected(text: &str) -> (bool, Vec<String>) {
    let (_, says) = text.split_once("Expected: ").expect("a file that expects nothing");
    let says = says.split_once("*)").expect("a comment without an end").0;
    let comes = match says.split(|letter: char| !letter.is_alphabetic()).next() {
        Some("Sometimes") => true,
        Some("Never") => false,
        other => panic!("neither Never nor Sometimes: {other:?}"),
    };
    let race = says.split_once("a data race on ").map(|(_, on)| {
        on.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect::<String>()
    });
    (comes, race.into_iter().collect())
}

/// What is wrong with what a test says, for a model: its verdict, its races, or its row in
/// `proofs/README.md`.
fn wrong_with(name: &str, text: &str, of: &str, negated: bool, found: &Found, in_page: bool) -> String {
    let (comes, races) = expected(text);
    let Found { all, with, races: found } = found;
    assert!(*all > 0, "{name} has no execution");
    let held = if negated { all - with } else { *with };
    let mut wrong = String::new();
    if (held > 0) != comes || *found != races {
        wrong += &format!("\n{name}: by {of} in {with} of {all} executions, races {found:?}");
    }
    let page = fs::read_to_string(root().join("proofs/README.md")).unwrap();
    let mut rows = page.lines().filter(|line| line.starts_with(&format!("| `{name}` |")));
    if in_page && !rows.any(|row| row.contains(&format!("| {with} of {all} |"))) {
        wrong += &format!("\n{name}: proofs/README.md does not say {with} of {all}");
    }
    wrong
}

#[test]
fn files_in_c_expect_what_rc11_allows() {
    let tests = tests_in("C");
    assert!(tests.len() > 100, "the litmus tests are not where this test looks for them");
    let mut wrong = String::new();
    for (name, text) in tests {
        let program = Program::parse(&text);
        assert_eq!(program.name, name);
        // C++20 has weaker release sequences, and no test rests on what it took out.
        for (of, model) in [("RC11", RC11), ("C++20", CPP20)] {
            let found = model.explore(&program);
            wrong += &wrong_with(&name, &text, of, program.negated, &found, of == "RC11");
        }
    }
    assert!(wrong.is_empty(), "litmus tests are not as they say:{wrong}");
}

#[test]
fn files_of_aarch64_expect_what_that_allows() {
    let tests = tests_in("AArch64");
    assert!(tests.len() > 3, "the litmus tests are not where this test looks for them");
    let mut wrong = String::new();
    for (name, text) in tests {
        let machine = Machine::parse(&text);
        assert_eq!(machine.name, name);
        wrong += &wrong_with(&name, &text, "AArch64", machine.negated, &machine.explore(), true);
    }
    assert!(wrong.is_empty(), "litmus tests are not as they say:{wrong}");
}
