//! What is found in a source, and what is written in its place.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::find::{self, Kind, Mutant};
use crate::write;

const SOURCE: &str = r#"
struct Word(usize);

impl Word {
    const fn with(self, bits: usize) -> Self {
        Self(self.0 | bits)
    }
}

struct Lock {
    word: AtomicUsize,
}

impl Lock {
    fn lock(&self, word: Word) -> bool {
        if word.0 < 3 && self.queue.is_empty() {
            self.wake(1);
        }
        self.word.compare_exchange(0, word.with(LOCKED).0, AcqRel, Relaxed).is_ok()
    }

    fn is_locked(&self) -> usize {
        fence(SeqCst);
        self.word.load(Acquire)
    }
}

#[cfg(test)]
mod tests {
    fn test() {
        word.store(1, Release);
    }
}
"#;

fn found() -> Vec<Mutant> {
    let source = syn::parse_file(SOURCE).unwrap();
    find::mutants("src/lock.rs", SOURCE, &source, &find::transformers(&source))
}

#[test]
fn each_place_has_its_changes() {
    let mut changes: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
    for mutant in found() {
        changes.entry(mutant.kind).or_default().push(format!("{}: {}", mutant.function, mutant.change));
    }
    assert_eq!(
        changes[&Kind::Ordering],
        [
            "Lock::lock: AcqRel to Acquire",
            "Lock::lock: AcqRel to Release",
            "Lock::lock: AcqRel to Relaxed",
            "Lock::is_locked: SeqCst to AcqRel",
            "Lock::is_locked: Acquire to Relaxed",
        ]
    );
    assert_eq!(
        changes[&Kind::Deleted],
        ["Lock::lock: deleted: self.wake(1);", "Lock::is_locked: deleted: fence(SeqCst);"]
    );
    assert_eq!(
        changes[&Kind::Condition],
        [
            "Lock::lock: not: word.0 < 3 && self.queue.is_empty()",
            "Lock::lock: && to ||: word.0 < 3 && self.queue.is_empty()",
            "Lock::lock: < to <=: word.0 < 3",
        ]
    );
    assert_eq!(changes[&Kind::Bits], ["Lock::lock: without .with: word.with(LOCKED)"]);
    assert_eq!(changes[&Kind::Value], ["Lock::lock: 3 to 4", "Lock::lock: 1 to 2", "Lock::lock: 0 to 1"]);
    assert_eq!(changes[&Kind::Answer], ["Lock::lock: always true", "Lock::lock: always false"]);
    assert_eq!(changes.values().map(Vec::len).sum::<usize>(), 16);
}

#[test]
fn keys_are_unique() {
    let keys: BTreeSet<String> = found().iter().map(Mutant::key).collect();
    assert_eq!(keys.len(), found().len());
}

/// A copy of a small tree: what is written is Rust, and without its choices it is what it was.
#[test]
fn copy_has_a_choice_at_each_place() {
    let base = std::env::temp_dir().join(format!("mutants-test-{}", std::process::id()));
    let (from, to) = (base.join("from"), base.join("to"));
    fs::create_dir_all(from.join("src")).unwrap();
    fs::write(from.join("src/lock.rs"), SOURCE).unwrap();
    fs::write(from.join("src/lib.rs"), "mod lock;\n").unwrap();
    fs::create_dir_all(to.join("src")).unwrap();
    fs::write(to.join("src/gone.rs"), "").unwrap();
    let mutants = write::mutants(&from, &["src/lock.rs".to_owned()]).unwrap();
    let left_out = BTreeSet::from([0]);
    let written = write::copy(&from, &to, &mutants, &left_out).unwrap();
    let text = fs::read_to_string(to.join("src/lock.rs")).unwrap();
    syn::parse_file(&text).unwrap();
    for number in 0..mutants.len() {
        let choice = format!("crate::mutant_choice::on({})", number + write::FIRST);
        assert_eq!(text.contains(&choice), number != 0, "{choice} in {text}");
        if number != 0 {
            let at = text.find(&choice).unwrap();
            assert!(written["src/lock.rs"].at(&(at..at + choice.len())).is_some());
        }
    }
    assert!(fs::read_to_string(to.join("src/lib.rs")).unwrap().contains("pub mod mutant_choice"));
    assert!(!to.join("src/gone.rs").exists());
    fs::remove_dir_all(base).unwrap();
}

#[test]
fn fault_must_stand_where_it_says_exactly_once() {
    let base = std::env::temp_dir().join(format!("mutants-fault-{}", std::process::id()));
    fs::create_dir_all(base.join("src")).unwrap();
    fs::write(base.join("src/lock.rs"), SOURCE).unwrap();
    let fault = |old: &str, new: &str| {
        let text = format!("\n==== a fault\nsrc/lock.rs\n<<<<\n{old}\n----\n{new}\n>>>>\n");
        write::faults(&base, &text)
    };
    let found = fault("self.wake(1);", "if !MUTANT { self.wake(1); }").unwrap();
    assert_eq!(found.iter().map(|fault| fault.change.as_str()).collect::<Vec<_>>(), ["a fault"]);
    assert!(fault("self.word", "MUTANT").is_err(), "it stands there twice");
    assert!(fault("self.wake(1);", "").is_err(), "nothing picks it");
    fs::remove_dir_all(base).unwrap();
}

/// Each fault of `faults.txt` stands in the source as it is now.
#[test]
fn faults_apply_to_the_tree() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = fs::read_to_string(root.join("mutants/faults.txt")).unwrap();
    let faults = write::faults(root, &text).unwrap();
    assert_eq!(faults.len(), text.matches("\n==== ").count());
}
