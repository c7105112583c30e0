//! The proofs in `proofs/` are about the code as it is: each line of a proof that stands for an atomic
//! operation names a tag, the source has the tag beside that operation, and `proofs/code.txt` has the
//! operation as it was when the proof was last read against it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const MARK: &str = "proof: ";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The files below `folder` with one of these extensions, and what they say.
fn files(folder: &str, extensions: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("");
            if path.is_dir() {
                folders.push(path);
            } else if extensions.contains(&extension) {
                let name = path.strip_prefix(root()).unwrap_or(Path::new("")).display().to_string();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The statement that begins with these lines: to its end, or to where its block begins. Without spaces,
/// comments, and commas before a closing bracket.
fn statement(text: &str) -> String {
    let mut statement = String::new();
    let mut depth = 0;
    for line in text.lines() {
        for letter in line.split("//").next().unwrap_or("").chars() {
            match letter {
                '(' | '[' => depth += 1,
                ')' | ']' => depth -= 1,
                '{' if depth > 0 => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ';' | '{' | '}' if depth <= 0 => return statement,
                _ => {}
            }
            if depth < 0 {
                return statement;
            }
            if ")]".contains(letter) && statement.ends_with(',') {
                statement.pop();
            }
            if !letter.is_whitespace() {
                statement.push(letter);
            }
        }
    }
    statement
}

/// Each tag in the source, with the statement that it stands before.
fn tagged_code() -> BTreeMap<String, String> {
    let mut code = BTreeMap::new();
    for (file, text) in files("src", &["rs"]) {
        let mut rest = text.as_str();
        while let Some(at) = rest.find("// proof: ") {
            rest = &rest[at + "// proof: ".len()..];
            let (tag, behind) = rest.split_once('\n').unwrap_or((rest, ""));
            let statement = format!("{file} {}", statement(behind));
            assert!(code.insert(tag.trim().to_owned(), statement).is_none(), "{file}: {tag} twice");
        }
    }
    code
}

/// Each tag that a proof names, with the files that do.
fn named_in_proofs() -> BTreeMap<String, BTreeSet<String>> {
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, text) in files("proofs", &["litmus", "pml"]) {
        for tags in text.lines().filter_map(|line| line.split_once(MARK)) {
            for tag in tags.1.trim_end_matches("*/").split(',') {
                named.entry(tag.trim().to_owned()).or_default().insert(file.clone());
            }
        }
    }
    named
}

/// What `proofs/code.txt` says: a tag, then the file and the statement.
fn recorded() -> BTreeMap<String, String> {
    let text = fs::read_to_string(root().join("proofs/code.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let pairs = lines.map(|line| line.split_once(' ').unwrap_or_else(|| panic!("no statement: {line}")));
    pairs.map(|(tag, code)| (tag.to_owned(), code.to_owned())).collect()
}

#[test]
fn tags_of_proofs_are_in_the_source() {
    let (code, named) = (tagged_code(), named_in_proofs());
    assert!(named.len() > 40, "the proofs are not where this test looks for them");
    for (tag, files) in &named {
        assert!(code.contains_key(tag), "{files:?} name {tag}, which no line of src has");
    }
    for tag in code.keys() {
        assert!(named.contains_key(tag), "src has {tag}, which no proof names");
    }
}

#[test]
fn tagged_code_is_as_the_proofs_know_it() {
    let (code, recorded, named) = (tagged_code(), recorded(), named_in_proofs());
    let mut wrong = String::new();
    for (tag, now) in &code {
        if recorded.get(tag) != Some(now) {
            wrong += &format!(
                "\n{tag} {now}\n    read {:?} again, then put this line into proofs/code.txt\n",
                named.get(tag)
            );
        }
    }
    for tag in recorded.keys().filter(|tag| !code.contains_key(*tag)) {
        wrong += &format!("\n{tag} is in proofs/code.txt and not in src\n");
    }
    assert!(wrong.is_empty(), "code that a proof is about has changed:{wrong}");
}

#[test]
fn statement_ignores_layout_and_nothing_else() {
    let one = statement("    match self.word.compare_exchange(a, b, Release, Relaxed) {\n");
    let other =
        statement("match self\n  .word // why\n  .compare_exchange(\n a,\n b, Release,\n Relaxed,\n ) {");
    assert_eq!(one, other);
    assert_eq!(one, "matchself.word.compare_exchange(a,b,Release,Relaxed)");
    assert_ne!(one, statement("match self.word.compare_exchange(a, b, Relaxed, Relaxed) {"));
    assert_ne!(one, statement("match self.word.compare_exchange_weak(a, b, Release, Relaxed) {"));
    assert_ne!(one, statement("match self.word.compare_exchange(a, c, Release, Relaxed) {"));
}

/// What a line says that stands for nothing in the source.
const NOT_CODE: &str = "not in the code";

/// Each line of a litmus test in C that is an atomic operation names its tag, or says that it has none.
#[test]
fn litmus_tests_name_what_they_are_about() {
    const OPERATIONS: [&str; 6] = [
        "atomic_load",
        "atomic_store",
        "atomic_exchange",
        "atomic_compare",
        "atomic_fetch",
        "atomic_thread_fence",
    ];
    let mut seen = 0;
    for (file, text) in files("proofs/litmus", &["litmus"]) {
        for line in text.lines().filter(|line| OPERATIONS.iter().any(|operation| line.contains(operation))) {
            seen += 1;
            assert!(line.contains(MARK) || line.contains(NOT_CODE), "{file}: {line}");
        }
    }
    assert!(seen > 150, "found only {seen} operations");
}

/// The text of a model without its comments, in the same lines.
fn without_comments(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some((before, comment)) = rest.split_once("/*") {
        code += before;
        let (comment, behind) = comment.split_once("*/").expect("a comment without an end");
        code.extend(comment.matches('\n'));
        rest = behind;
    }
    code + rest
}

/// Whether a line of a model sets this variable, or an element of it.
fn sets(line: &str, variable: &str) -> bool {
    let part_of_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    line.match_indices(variable).any(|(at, _)| {
        if line[..at].ends_with(part_of_name) {
            return false;
        }
        let mut behind = &line[at + variable.len()..];
        if behind.starts_with('[') {
            let mut depth = 0;
            let end = behind.find(|letter| {
                depth += i32::from(letter == '[') - i32::from(letter == ']');
                depth == 0
            });
            behind = end.map_or("", |end| &behind[end + 1..]);
        }
        let behind = behind.trim_start();
        behind.starts_with('=') && !behind.starts_with("==")
            || behind.starts_with("++")
            || behind.starts_with("--")
    })
}

#[test]
fn setting_is_told_from_looking() {
    for line in ["count++", ":: a -> count = 2", "count[q[0]] = 1;", "count [i]", "recount = 1; count-- }"] {
        assert_eq!(sets(line, "count"), line != "count [i]", "{line}");
    }
    for line in ["count == 2", "count[i] == 1", "recount = 1", "count2 = 1", "n = count", "count >= n"] {
        assert!(!sets(line, "count"), "{line}");
    }
}

/// A Spin model names the variables that are words of the source or their bits, in its head (`words: ..`).
/// Each line that sets one is an atomic operation, and names its tag or says that it has none. That a
/// thread takes its outcome back is none: its next wait has a new node.
#[test]
fn spin_models_name_what_they_are_about() {
    let models: BTreeMap<String, String> = files("proofs/spin", &["pml"]).into_iter().collect();
    let named = |text: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.trim().strip_prefix("words: "));
        lines
            .flat_map(|words| words.split_whitespace().filter(|word| *word != "*/"))
            .map(str::to_owned)
            .collect()
    };
    let (mut seen, mut wrong) = (0, String::new());
    for (file, text) in &models {
        let code = without_comments(text);
        let mut words = named(text);
        assert!(words.iter().all(|word| code.contains(word)), "{file} has not all of {words:?}");
        for (other, included) in &models {
            let name = Path::new(other).file_name().unwrap().to_string_lossy();
            if code.contains(&format!("#include \"{name}\"")) {
                words.extend(named(included));
            }
        }
        assert!(!words.is_empty(), "{file} has no words");
        for (line, code) in text.lines().zip(code.lines()) {
            let declares = ["bit ", "byte "].iter().any(|kind| code.trim_start().starts_with(kind));
            let taken_back = code.contains("] = 0") && !sets(&code.replace("] = 0", ""), "out");
            let operates = words.iter().any(|word| sets(code, word) && (word != "out" || !taken_back));
            if operates && !declares {
                seen += 1;
                if !line.contains(MARK) && !line.contains(NOT_CODE) {
                    wrong += &format!("\n{file}: {line}");
                }
            }
        }
    }
    assert!(seen > 100, "found only {seen} operations");
    assert!(wrong.is_empty(), "operations that name no tag:{wrong}");
}

/// A litmus test says what it expects, and one of what the code does is expected never to fail, or the code
/// allows for it.
#[test]
fn litmus_tests_are_whole() {
    let tests = files("proofs/litmus", &["litmus"]);
    let page = fs::read_to_string(root().join("proofs/README.md")).unwrap();
    for (file, text) in &tests {
        let name = Path::new(file).file_stem().and_then(|stem| stem.to_str()).unwrap();
        let first = text.lines().next().unwrap_or("");
        assert_eq!(first.split(' ').nth(1), Some(name), "{file}: another name in its head");
        let expected = text.split_once("Expected: ").map_or("", |(_, rest)| rest);
        assert!(
            expected.starts_with("Never") || expected.starts_with("Sometimes"),
            "{file}: expects nothing"
        );
        assert!(text.lines().any(|line| line.starts_with("exists (")), "{file}: asks nothing");
        let verdict = if expected.starts_with("Never") { "Never" } else { "Sometimes" };
        let row = page.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("proofs/README.md has no row for {name}"));
        assert!(row.contains(verdict), "{file} expects {verdict}, proofs/README.md does not");
    }
}
