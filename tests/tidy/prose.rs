//! The rules for words, summaries and widths.

use std::collections::BTreeSet;
use std::fs;

use super::{root, rust_files};

/// Comments are no wider than the code, but for tables, figures and links.
#[test]
fn comments_are_no_wider_than_code() {
    const WIDTH: usize = 110;
    let mut files = Vec::new();
    let tests = ["tests", "diagnose-tests/src", "loom-tests/src", "shuttle-tests/src", "sim-tests/src"];
    for folder in ["src", "benches", "examples", "mutants"].into_iter().chain(tests) {
        rust_files(&root().join(folder), &mut files);
    }
    // What another workspace has built.
    files.retain(|path| !path.components().any(|part| part.as_os_str() == "target"));
    assert!(files.len() > 50, "found only {files:?}");
    let mut wrong = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            let comment = line.trim_start().starts_with("//");
            let fixed = ["|", "\u{2502}", "\u{2500}", "://"].iter().any(|mark| line.contains(mark));
            if comment && !fixed && line.chars().count() > WIDTH {
                wrong.push(format!("{}:{}", path.display(), number + 1));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

/// The summary of a function begins with a verb in the third person, as in `std`.
#[test]
fn summaries_of_functions_begin_with_a_verb() {
    /// Words in -s that are no such verbs.
    const OTHERS: [&str; 11] =
        ["As", "Always", "Is", "Its", "Less", "Readers", "Says", "This", "Threads", "Unless", "Waiters"];
    /// The functions there are numbers, and have their names.
    const NUMBERS: &str = "wait/numbers.rs";
    let src = root().join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let mut wrong = Vec::new();
    let mut seen = 0;
    for path in files.iter().filter(|path| !path.ends_with(NUMBERS)) {
        let text = fs::read_to_string(path).unwrap();
        let (mut summary, mut is_test) = ("", false);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (number, &line) in lines.iter().enumerate() {
            if let Some(doc) = line.strip_prefix("///") {
                summary = if summary.is_empty() { doc.trim_start_matches([' ', '`', '[']) } else { summary };
                continue;
            }
            if line.starts_with("#[") || line.starts_with("$(#[") {
                is_test |= line == "#[test]";
                continue;
            }
            let declares = ["fn ", "const fn ", "unsafe fn ", "const unsafe fn "];
            let item = line.strip_prefix("pub").map_or(line, |item| {
                item.split_once(") ").filter(|_| item.starts_with('(')).map_or(item, |(_, item)| item).trim()
            });
            let is_function = declares.iter().any(|begin| item.starts_with(begin)) && !is_test;
            if is_function && !summary.is_empty() && !summary.starts_with('#') {
                seen += 1;
                let word = summary.split(|c: char| !c.is_alphabetic()).next().unwrap();
                let is_verb = word.ends_with('s') && word.starts_with(|c: char| c.is_uppercase());
                // To the brace or the semicolon: what returns nothing sets, notes or wakes.
                let ends = |line: &&str| line.ends_with(['{', ';', '}']);
                let end = lines[number..].iter().position(ends).map_or(lines.len(), |end| number + end + 1);
                let returns = lines[number..end].iter().any(|line| line.contains("->"));
                if !is_verb || OTHERS.contains(&word) || (word == "Returns" && !returns) {
                    wrong.push(format!("{}: {summary}", path.display()));
                }
            }
            (summary, is_test) = ("", false);
        }
    }
    assert!(seen > 1000, "found only {seen} summaries");
    assert_eq!(wrong, [""; 0]);
}

/// The words of a text, small, with a space before and behind each.
fn words_of(text: &str) -> String {
    let text = text.to_lowercase();
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    format!(" {} ", words.join(" "))
}

/// The glossary explains words that the code and the documents use, and no others.
#[test]
fn words_of_the_glossary_are_used() {
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("glossary.md") {
                files.push(path);
            }
        }
    }
    let read = |path| words_of(&fs::read_to_string(path).unwrap());
    let text: String = files.iter().map(read).collect();
    let glossary = fs::read_to_string(root().join("docs/glossary.md")).unwrap();
    let terms = glossary
        .lines()
        .filter(|line| !["| word |", "|---"].iter().any(|begin| line.starts_with(begin)))
        .filter_map(|line| line.strip_prefix("| ")?.split('|').next())
        .flat_map(|terms| terms.split(['(', ',']))
        .map(|term| words_of(term.trim().trim_start_matches("to ").trim_matches([')', ' '])));
    let (used, unused): (Vec<_>, Vec<_>) = terms.partition(|term| {
        // Or more than one of it, or one with a capital in its midst.
        let joined = term.trim().replace(' ', "");
        text.contains(term.trim_end()) || text.contains(&joined)
    });
    assert!(used.len() > 80, "found only {used:?}");
    assert_eq!(unused, [""; 0], "words of docs/glossary.md that nothing else uses");
}

/// Words that are no words of the field, or that leave open which thread, caller or crate is meant. What to
/// say instead is a noun, or stands in `docs/glossary.md`.
const BANNED: [&str; 34] = [
    "somebody",
    "nobody",
    "whoever",
    "whomever",
    "everybody",
    "anybody",
    "someone",
    "everyone",
    "anyone",
    "for ever",
    "kin",
    "come by",
    "comes by",
    "came by",
    "limbo",
    "loose",
    "seat",
    "seats",
    "seated",
    "sit",
    "sits",
    "sat",
    "stands up",
    "calm",
    "news",
    "entrant",
    "entrants",
    "last but one",
    "settle",
    "settles",
    "settled",
    "guess",
    "guesses",
    "supposed",
];
/// Where such a word means something else: what a chat server tells its room.
const MEANT: [(&str, &str); 2] =
    [("docs/guide/chat_server.md", "news"), ("examples/chat_server/main.rs", "news")];

#[test]
fn words_are_those_of_the_field() {
    const TEXTS: [&str; 5] = ["rs", "md", "pml", "litmus", "sh"];
    let mut files = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if path.extension().is_some_and(|end| TEXTS.iter().any(|text| end == *text)) {
                files.push(path);
            }
        }
    }
    assert!(files.len() > 200, "found only {files:?}");
    let mut wrong = Vec::new();
    let mut meant = BTreeSet::new();
    for path in files {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        if name == "tests/tidy/prose.rs" {
            continue;
        }
        // A name like `waits_for_nobody` consists of words as well, and a phrase may be broken by a line's
        // end.
        let text = words_of(&fs::read_to_string(&path).unwrap());
        for word in BANNED {
            if !text.contains(&format!(" {word} ")) {
                continue;
            }
            match MEANT.iter().find(|exception| **exception == (&*name, word)) {
                Some(exception) => _ = meant.insert(exception),
                None => wrong.push(format!("{name}: {word}")),
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert_eq!(meant.len(), MEANT.len(), "an exception that is needed no more: {meant:?} are");
}
