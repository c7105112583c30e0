//! The litmus tests of `proofs/litmus`, each execution of each under RC11: what a file expects is what is
//! found.

mod execution;
mod program;
mod rc11;
mod relation;
mod shapes;

use std::fs;
use std::path::PathBuf;

use program::Program;
use rc11::{CPP20, Found, RC11};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The litmus tests in C, each with its name.
fn tests_in_c() -> Vec<(String, String)> {
    let folder = root().join("proofs/litmus");
    let mut tests: Vec<(String, String)> = (fs::read_dir(&folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (path.file_stem().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap())
        })
        .filter(|(_, text)| text.starts_with("C "))
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

#[test]
fn files_expect_what_rc11_allows() {
    let tests = tests_in_c();
    assert!(tests.len() > 35, "the litmus tests are not where this test looks for them");
    let page = fs::read_to_string(root().join("proofs/README.md")).unwrap();
    let mut wrong = String::new();
    for (name, text) in tests {
        let program = Program::parse(&text);
        assert_eq!(program.name, name);
        let (comes, races) = expected(&text);
        // C++20 has weaker release sequences, and no test rests on what it took out.
        for (of, model) in [("RC11", RC11), ("C++20", CPP20)] {
            let Found { all, with, races: found } = model.explore(&program);
            assert!(all > 0, "{name} has no execution");
            let held = if program.negated { all - with } else { with };
            if (held > 0) != comes || found != races {
                wrong += &format!("\n{name}: by {of} in {with} of {all} executions, races {found:?}");
            }
            let mut rows = page.lines().filter(|line| line.starts_with(&format!("| `{name}` |")));
            if of == "RC11" && !rows.any(|row| row.contains(&format!("| {with} of {all} |"))) {
                wrong += &format!("\n{name}: proofs/README.md does not say {with} of {all}");
            }
        }
    }
    assert!(wrong.is_empty(), "litmus tests are not as they say:{wrong}");
}
