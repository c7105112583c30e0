//! The house rules that a program can check: who may import what, and where `cfg(loom)` and atomics may
//! stand.

#[path = "tidy/prose.rs"]
mod prose;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The floor of a module: an import goes down or stays level, never up.
fn floor(module: &str) -> Option<u8> {
    Some(match module {
        "facade" | "observe" => 0,
        "wait" => 1,
        "raw" => 2,
        "guard" | "mutex" | "rwlock" | "reentrant" | "semaphore" | "condvar" | "event" | "barrier"
        | "latch" | "once" => 3,
        "ring" | "thread_cell" | "thread_local" | "any" => 3,
        "buffer" | "stop" | "wait_group" | "all" => 4,
        "held" | "channel" | "diagnose" | "poison" | "lock_api" | "serde" | "threads" => 5,
        "internals" | "variance" => 5,
        _ => return None,
    })
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// All Rust of a folder.
fn text_of(dir: &str) -> String {
    let mut files = Vec::new();
    rust_files(&root().join(dir), &mut files);
    files.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// Each source file: its path below `src`, its top module, and its code without comments.
fn sources() -> Vec<(String, String, String)> {
    let src = root().join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    assert!(files.len() > 10, "found only {files:?}");
    files
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&src).unwrap().to_string_lossy().replace('\\', "/");
            let module = name.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let code: Vec<&str> =
                text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
            (name, module, code.join("\n"))
        })
        .collect()
}

/// The modules that a text names as `crate::module`.
fn imports(code: &str) -> Vec<String> {
    code.match_indices("crate::")
        .map(|(at, prefix)| {
            code[at + prefix.len()..]
                .chars()
                .take_while(|character| character.is_alphanumeric() || *character == '_')
                .collect()
        })
        .collect()
}

#[test]
fn imports_go_down() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (name, module, code) in sources() {
        if module == "lib" {
            continue;
        }
        let own =
            floor(&module).unwrap_or_else(|| panic!("src/{name} is on no floor: add it to tests/tidy.rs"));
        for import in imports(&code) {
            // Names at the crate root are public types, which documentation and applications use.
            let Some(imported) = floor(&import) else { continue };
            seen += 1;
            let typed_reaches_core = own == 3 && imported == 1;
            let composed_reaches_raw = own == 4 && (imported == 1 || imported == 2);
            if imported > own || typed_reaches_core || composed_reaches_raw {
                wrong.push(format!("src/{name} imports crate::{import}"));
            }
        }
    }
    assert!(seen > 10, "found only {seen} imports");
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn only_the_facade_knows_the_model_checker() {
    let wrong: Vec<String> = sources()
        .into_iter()
        .filter(|(_, module, _)| module != "facade")
        .flat_map(|(name, _, code)| {
            let conditions = code.lines().filter(|line| line.contains("cfg")).map(|line| line.trim());
            let knows = conditions.filter(|line| {
                line.split(|c: char| !c.is_alphanumeric() && c != '_')
                    .any(|word| ["loom", "shuttle", "sim"].contains(&word))
                    && *line != r#"#[cfg_attr(any(feature = "diagnose", loom), track_caller)]"#
                    && !line.starts_with(r#"#[cfg_attr(all(loom, feature = "loom-spec"), path = "#)
            });
            knows.map(|line| format!("src/{name}: {line}")).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(wrong, [""; 0], "a condition on the arm stands outside src/facade");
}

#[test]
fn only_the_facade_reaches_for_std_atomics_and_threads() {
    let fenced = [
        "std::sync::atomic",
        "core::sync::atomic",
        "UnsafeCell<",
        "std::thread",
        "Instant::now",
        "spin_loop",
        "SeqCst",
    ];
    let mut wrong = Vec::new();
    for (name, module, code) in sources() {
        // `UnsafeCell` of the facade is fine; what counts is where the name comes from.
        let imports_facade_cell = code.contains("facade::{") && code.contains("UnsafeCell");
        for word in fenced {
            let allowed = module == "facade"
                || (word == "UnsafeCell<" && imports_facade_cell)
                || name == "wait/list.rs";
            if !allowed && code.contains(word) {
                wrong.push(format!("src/{name}: {word}"));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

/// A file that names a memory ordering has a module of models with its name, or that of one of its folders.
#[test]
fn file_that_orders_memory_has_a_model() {
    let models = root().join("loom-tests/src");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (name, module, code) in sources() {
        let mut words = code.split(|character: char| !character.is_alphanumeric());
        let orders = words.any(|word| ["Acquire", "Release", "AcqRel"].contains(&word));
        if module == "facade" || !orders {
            continue;
        }
        seen += 1;
        // A file of models, or a folder.
        let has_model = name.trim_end_matches(".rs").split('/').any(|part| {
            let mut files = vec![models.join(format!("{part}.rs"))];
            if models.join(part).is_dir() {
                rust_files(&models.join(part), &mut files);
            }
            files.iter().any(|file| {
                fs::read_to_string(file).is_ok_and(|text| text.contains("#[test]") && text.contains("model"))
            })
        });
        if !has_model {
            wrong.push(name);
        }
    }
    assert!(seen > 3, "found only {seen} files with orderings");
    assert_eq!(wrong, [""; 0], "no model in loom-tests");
}

/// The head of a state machine says, after its states and invariants, which edges order it, what it promises
/// and where its limits are.
#[test]
fn heads_of_state_machines_are_complete() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (name, module, _) in sources() {
        let parts: Vec<&str> = name.split('/').collect();
        // A file, or of a folder its `mod.rs`.
        let is_machine = match parts[..] {
            ["raw", file] => file != "mod.rs",
            ["raw", folder, "mod.rs"] => folder != "spec",
            _ => false,
        };
        if module != "raw" || !is_machine {
            continue;
        }
        seen += 1;
        let text = fs::read_to_string(root().join("src").join(&name)).unwrap();
        let head: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
        for word in ["Ordering", "Promised upward", "Limits"] {
            if !head.contains(word) {
                wrong.push(format!("src/{name}: {word}"));
            }
        }
    }
    assert!(seen > 10, "found only {seen} state machines");
    assert_eq!(wrong, [""; 0]);
}

/// A file is what one takes in at one sitting: about 600 lines of the crate, and 800 of its tests. The
/// programs' tests are files of their own packages.
#[test]
fn files_fit_one_sitting() {
    let fit = |folders: &[&str], most: usize, seen: usize| {
        let mut files = Vec::new();
        folders.iter().for_each(|folder| rust_files(&root().join(folder), &mut files));
        files.retain(|path| !path.starts_with(root().join("tests/programs")));
        assert!(files.len() > seen, "found only {files:?}");
        files.retain(|path| fs::read_to_string(path).unwrap().lines().count() > most);
        assert_eq!(files, [""; 0].map(PathBuf::from), "more than {most} lines");
    };
    fit(&["src"], 620, 100);
    fit(&["tests", "diagnose-tests/src", "loom-tests/src", "shuttle-tests/src"], 800, 80);
}

/// A macro is for what functions, generics and traits cannot do: there are no more than these, and the
/// documentation says of each why it is one.
#[test]
fn macros_are_few_and_have_reasons() {
    const MOST: usize = 26;
    let table = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();
    let mut found = 0;
    let mut wrong = Vec::new();
    for (file, _, code) in sources() {
        for (at, word) in code.match_indices("macro_rules! ") {
            found += 1;
            let name = code[at + word.len()..].split(' ').next().unwrap();
            if !rows.iter().any(|row| row.contains(&format!("`{name}!`"))) {
                wrong.push(format!("src/{file}: {name}"));
            }
        }
    }
    assert_eq!(wrong, [""; 0], "no row in docs/architecture.md");
    assert!(found > 10 && found <= MOST, "{found} macros");
}

/// What the documentation says of an ordering names a model that exists.
#[test]
fn each_row_of_the_orderings_names_a_model_that_exists() {
    let table = fs::read_to_string(root().join("docs/orderings.md")).unwrap();
    let mut named = 0;
    for row in table.lines().filter(|line| line.starts_with('|') && line.contains("`loom-tests/")) {
        for name in row.split('`').filter(|part| part.starts_with("loom-tests/")) {
            let (file, test) = name.split_once("::").unwrap_or_else(|| panic!("no test in {name}"));
            let text = fs::read_to_string(root().join(file.replacen("loom-tests/", "loom-tests/src/", 1)))
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(text.contains(&format!("fn {test}(")), "{name} does not exist");
            named += 1;
        }
    }
    assert!(named > 5, "found only {named} models in docs/orderings.md");
}

/// Returns the function of a name, from its name to the brace that stands as far in as it does.
fn body_of<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let at = ["(", "<"].iter().find_map(|next| text.find(&format!("fn {name}{next}")))?;
    let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let indent: String = text[line..].chars().take_while(|&c| c == ' ').collect();
    let end = text[at..].find(&format!("\n{indent}}}"))?;
    Some(&text[at..at + end])
}

/// Returns whether a function names a call, or its timed form.
fn calls(body: &str, call: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let timed = ["_for", "_until", "_timeout", "_deadline"];
    body.split(|c| !is_name(c))
        .any(|word| word.strip_prefix(call).is_some_and(|rest| rest.is_empty() || timed.contains(&rest)))
}

/// The tables of models name models that exist, and have a row for each public operation, the timed ones with
/// all its columns.
#[test]
fn each_operation_has_its_models() {
    let table = fs::read_to_string(root().join("docs/models.md")).unwrap();
    let shuttle = text_of("shuttle-tests/src");
    let tests = text_of("tests");
    let mut operations = BTreeMap::new();
    let mut named = 0;
    let mut uncalled = Vec::new();
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let mut bodies = Vec::new();
        for name in row.split('`').skip(1).step_by(2) {
            if let Some((file, test)) = name.rsplit_once("::") {
                let text = match file {
                    "tests" => &tests,
                    "shuttle" => &shuttle,
                    _ => {
                        let path = root().join(format!("loom-tests/src/{}.rs", file.replace("::", "/")));
                        &fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"))
                    }
                };
                let found = body_of(text, test);
                bodies.push(found.unwrap_or_else(|| panic!("{name} does not exist")).to_owned());
                named += 1;
            }
        }
        let mut all = row.trim().trim_matches('|').split('|').map(str::trim);
        let first = all.next().unwrap_or_default();
        let others: Vec<_> = all.collect();
        let cells = 1 + others.len();
        assert!([3, 8].contains(&cells), "{first} has a cell too few or too many");
        // Names, or the letter of a reason.
        let says_why =
            |cell: &str| ["l", "b", "n", "own"].contains(&cell.split(':').next().unwrap_or_default());
        let empty = others.iter().find(|cell| !cell.starts_with('`') && !says_why(cell));
        assert_eq!(empty, None, "{first} has a cell that says nothing");
        for operation in first.split('`').skip(1).step_by(2) {
            assert!(operations.insert(operation.to_owned(), cells).is_none(), "{operation} stands twice");
            let call = operation.rsplit(": ").next().unwrap();
            if !says_why(others[0]) && !bodies.iter().any(|body| calls(body, call)) {
                uncalled.push(operation.to_owned());
            }
        }
    }
    assert_eq!(uncalled, [""; 0], "no function that the row names calls it");
    assert!(named > 50, "found only {named} models in docs/models.md");
    let mut wrong = Vec::new();
    let (mut seen, mut all) = (0, 0);
    for (name, module, code) in sources() {
        let file = name.trim_end_matches(".rs").trim_end_matches("/mod");
        // What the buffers share is one operation, whichever file declares it; and a lock in several files is
        // one lock.
        let folder = file.split('/').next().unwrap();
        let file = if ["all", "buffer", "rwlock"].contains(&folder) { folder } else { file };
        // Below the public types, or about no lock: what the models ask for, statements and errors.
        let others = ["facade", "observe", "wait", "raw", "diagnose", "lock_api", "held", "internals"];
        let is_shared = !others.contains(&module.as_str()) && !name.ends_with("error.rs");
        for word in ["pub fn ", "pub const fn ", "pub unsafe fn ", "pub const unsafe fn "] {
            for (at, word) in code.match_indices(word) {
                let is_name = |c: &char| c.is_alphanumeric() || *c == '_';
                let call: String = code[at + word.len()..].chars().take_while(is_name).collect();
                // A row of its own says that it is no timed form of another.
                let own = operations.contains_key(&format!("{file}: {call}"));
                let timed = call.strip_suffix("_for").or_else(|| call.strip_suffix("_timeout"));
                if let (Some(call), false) = (timed, own || !is_shared) {
                    seen += 1;
                    if operations.get(&format!("{file}: {call}")) != Some(&8) {
                        wrong.push(format!("{file}: {call}"));
                    }
                // Without a name it is a macro's, which is given where the macro is used.
                } else if is_shared
                    && !call.is_empty()
                    // Beside `_for` and `_timeout`, one line of code each.
                    && !["_until", "_deadline"].iter().any(|end| call.ends_with(end))
                {
                    all += 1;
                    if !operations.contains_key(&format!("{file}: {call}")) {
                        wrong.push(format!("{file}: {call}"));
                    }
                }
            }
        }
    }
    assert!(all > 200, "found only {all} operations");
    assert!(seen > 20, "found only {seen} timed operations");
    assert_eq!(wrong, [""; 0], "no row in docs/models.md");
}

/// An edge that the comment on an operation names, as in `// Release (mutex.unlock): …`, has a row.
#[test]
fn each_edge_that_the_code_names_has_a_row() {
    let table = fs::read_to_string(root().join("docs/orderings.md")).unwrap();
    let rows: Vec<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split('|').next())
        .flat_map(|edges| edges.split(','))
        .map(str::trim)
        .collect();
    let mut files = Vec::new();
    rust_files(&root().join("src/wait"), &mut files);
    rust_files(&root().join("src/raw"), &mut files);
    let mut wrong = Vec::new();
    let mut named = 0;
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let comments = text.lines().filter_map(|line| line.split_once("//"));
        for (_, comment) in comments {
            for (at, ordering) in
                ["Acquire (", "Release ("].iter().flat_map(|word| comment.match_indices(word))
            {
                let edges = comment[at + ordering.len()..].split(')').next().unwrap_or_default();
                for edge in edges.split(',').map(str::trim).filter(|edge| edge.contains('.')) {
                    named += 1;
                    if !rows.contains(&edge) {
                        wrong.push(format!("{}: {edge}", path.display()));
                    }
                }
            }
        }
    }
    assert!(named > 20, "found only {named} edges");
    assert_eq!(wrong, [""; 0], "no row in docs/orderings.md");
}

/// Every `[text](path)` in the documents that is a path leads somewhere. In a guide that is a page of the
/// crate, with no file beside it, there is none: the page gives a `[text]` its place.
#[test]
fn links_between_documents_lead_somewhere() {
    let mut documents: Vec<PathBuf> =
        ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "benches/README.md"]
            .iter()
            .map(|name| root().join(name))
            .collect();
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                documents.push(path);
            }
        }
    }
    let crate_page = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let mut wrong = Vec::new();
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        let name = document.file_name().unwrap().to_string_lossy();
        let page = crate_page.contains(&format!("include_str!(\"../docs/guide/{name}\")"));
        for (at, _) in text.match_indices("](") {
            let target: String = text[at + 2..].chars().take_while(|&character| character != ')').collect();
            let path = target.split('#').next().unwrap();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            if page || !document.parent().unwrap().join(path).exists() {
                wrong.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

/// The names that a text exports with `pub use`, of this crate's own.
fn exports(code: &str) -> Vec<String> {
    code.match_indices("pub use ")
        .flat_map(|(at, prefix)| {
            let path: String = code[at + prefix.len()..].chars().take_while(|&c| c != ';').collect();
            let elsewhere = ["std::", "crate::", "::"].iter().any(|root| path.starts_with(root));
            let names = path.rsplit("::").next().unwrap_or_default().to_owned();
            let names = if path.contains('{') {
                path.split('{').nth(1).unwrap_or_default().to_owned()
            } else {
                names
            };
            let names = if elsewhere { String::new() } else { names };
            let names = names.replace('}', "");
            names.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>()
        })
        .filter(|name| name.starts_with(char::is_uppercase))
        .collect()
}

/// Each public struct and enum by its path, as in `poison::Mutex`, and whether it is generic.
fn public_types() -> BTreeMap<String, bool> {
    let sources = sources();
    let text = |name: &str| sources.iter().find(|(file, ..)| file == name).map(|(.., code)| code.as_str());
    let root = text("lib.rs").unwrap();
    let mut exported: Vec<(String, String)> =
        exports(root).into_iter().map(|name| (String::new(), name)).collect();
    // Those of a feature stand in a macro, further in. The guides are written in place, and have no types.
    let modules = root.lines().filter_map(|line| line.trim().strip_prefix("pub mod ")?.strip_suffix(';'));
    for module in modules.filter(|&module| module != "internals").map(str::to_owned) {
        let files = [format!("{module}.rs"), format!("{module}/mod.rs")];
        let Some(code) = files.iter().find_map(|file| text(file)) else { continue };
        exported.extend(exports(code).into_iter().map(|name| (module.clone(), name)));
    }
    let mut types = BTreeMap::new();
    for (module, name) in exported {
        let own = |file: &str| {
            if module.is_empty() { !file.starts_with("poison") } else { file.starts_with(&module) }
        };
        let declared = |kind: &str| {
            sources.iter().filter(|(file, ..)| own(file) && !file.starts_with("raw/")).find_map(
                |(.., code)| {
                    code.match_indices(&format!("pub {kind} {name}"))
                        .map(|(at, text)| code[at + text.len()..].chars().next())
                        .find(|next| !next.is_some_and(|next| next.is_alphanumeric() || next == '_'))
                },
            )
        };
        // By a macro that is given the name, in a file of the module.
        let made = || {
            let given = [format!("{name}<"), format!(" {name},"), format!(" {name};"), format!(" {name}: ")];
            let makers = sources
                .iter()
                .filter(|(.., code)| ["pub struct $", "pub enum $"].iter().any(|kind| code.contains(kind)));
            let called: Vec<String> = makers
                .flat_map(|(.., code)| code.split("macro_rules! ").skip(1))
                .map(|text| format!("{}!", text.split(' ').next().unwrap_or_default()))
                .collect();
            sources.iter().any(|(file, _, code)| {
                own(file)
                    && given.iter().any(|given| code.contains(given))
                    && called.iter().any(|called| code.contains(called))
            })
        };
        let path = if module.is_empty() { name.clone() } else { format!("{module}::{name}") };
        match declared("struct").or_else(|| declared("enum")) {
            Some(next) => drop(types.insert(path, next == Some('<'))),
            None if ["type", "trait", "unsafe trait"].iter().any(|kind| declared(kind).is_some()) => {}
            None if made() => drop(types.insert(path, true)),
            None => panic!("{path} is public, and this test does not find where it is declared"),
        }
    }
    types
}

/// What the tables say something of, as pairs of a type and a trait, or `variance`.
fn rows(tables: &str, variance: &str) -> BTreeSet<(String, String)> {
    let name = |text: &str| text.trim().split(['<', ' ']).next().unwrap_or_default().to_owned();
    let mut rows = BTreeSet::new();
    let mut add = |of: &str, traits: &[&str]| {
        rows.extend(traits.iter().map(|&traits| (name(of), traits.trim().to_owned())));
    };
    let mut columns: &[&str] = &[];
    for line in tables.lines() {
        match line {
            "table! {" => columns = &["Send", "Sync"],
            "unwind_table! {" => columns = &["UnwindSafe", "RefUnwindSafe"],
            "}" => columns = &[],
            _ => {}
        }
        if let (Some((of, _)), false) = (line.split_once(" => "), columns.is_empty()) {
            add(of, columns);
        }
    }
    for assertion in ["assert_impl_all!(", "assert_not_impl_any!("] {
        for (at, start) in tables.match_indices(assertion) {
            let statement: String = tables[at + start.len()..].chars().take_while(|&c| c != ';').collect();
            let Some((of, traits)) = statement.trim_end_matches(')').split_once(": ") else { continue };
            add(of, &traits.split(',').collect::<Vec<_>>());
        }
    }
    for line in variance.lines().filter(|line| !line.trim_start().starts_with("//")) {
        if let Some((of, _)) = line.split_once("=>") {
            add(of, &["variance"]);
        }
    }
    rows
}

/// What the tables say nothing of.
fn missing(types: &BTreeMap<String, bool>, tables: &str, variance: &str) -> Vec<String> {
    let rows = rows(tables, variance);
    let wanted = ["Send", "Sync", "UnwindSafe", "RefUnwindSafe", "variance"];
    types
        .iter()
        .flat_map(|(name, &generic)| {
            wanted.map(|of| (of != "variance" || generic).then(|| (name.clone(), of.to_owned())))
        })
        .flatten()
        .filter(|row| !rows.contains(row))
        .map(|(name, of)| format!("{name}: {of}"))
        .collect()
}

/// Each public type has rows for what the compiler derives from its fields, unseen: auto traits and
/// variance.
#[test]
fn public_types_have_rows_for_auto_traits_and_variance() {
    let types = public_types();
    assert!(
        types.len() > 80
            && ["poison::Mutex", "diagnose::Session"].iter().all(|&name| types.contains_key(name)),
        "found only {types:?}"
    );
    let read = |name: &str| fs::read_to_string(root().join("tests").join(name)).unwrap();
    let (tables, variance) = (read("auto_traits.rs"), read("variance.rs"));
    assert_eq!(
        missing(&types, &tables, &variance),
        [""; 0],
        "no row in tests/auto_traits.rs (Send, Sync, UnwindSafe, RefUnwindSafe) or tests/variance.rs"
    );
    // A check that cannot fail would be none.
    let without = |text: &str, name: &str| {
        let starts = [format!("{name}<"), format!("{name} "), format!("{name}:")];
        let start =
            |line: &str| line.trim().replace("assert_impl_all!(", "").replace("assert_not_impl_any!(", "");
        let kept = |line: &&str| !starts.iter().any(|of| start(line).starts_with(of));
        text.lines().filter(kept).collect::<Vec<_>>().join("\n")
    };
    for (name, &generic) in &types {
        let missing = missing(&types, &without(&tables, name), &without(&variance, name));
        let expected = if generic { 5 } else { 4 };
        assert_eq!(missing.len(), expected, "without {name}: {missing:?}");
        assert!(
            missing.iter().all(|row| row.starts_with(&format!("{name}: "))),
            "without {name}: {missing:?}"
        );
    }
}

/// What people type who come from elsewhere is found by the documentation's search.
#[test]
fn names_from_elsewhere_are_aliases() {
    let text = text_of("src");
    let names = [
        "acquire_owned",
        "acquire_many_owned",
        "try_acquire_owned",
        "release",
        "reset",
        "CountDownLatch",
        "CyclicBarrier",
        "ManualResetEvent",
        "Notify",
        "execute",
        "spawn",
        "ThreadPoolExecutor",
        "send",
        "recv",
        "OnceCell",
        "Lazy",
    ];
    let missing: Vec<_> =
        names.into_iter().filter(|name| !text.contains(&format!("doc(alias = \"{name}\")"))).collect();
    assert_eq!(missing, [""; 0]);
}

/// The files of `src/threads` that each of them imports from, by their modules' paths, as in `pool::shared`.
fn imports_in_threads() -> BTreeMap<String, BTreeSet<String>> {
    let files: BTreeMap<String, String> = sources()
        .into_iter()
        .filter_map(|(name, _, code)| {
            let path = name.strip_prefix("threads/")?.trim_end_matches(".rs").trim_end_matches("/mod");
            Some((path.replace('/', "::"), code))
        })
        .filter(|(module, _)| module != "mod")
        .collect();
    let mut imports = BTreeMap::new();
    for (module, code) in &files {
        let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
        let folder =
            if files.keys().any(|other| other.starts_with(&format!("{module}::"))) { module } else { parent };
        let up = |path: &str| path.rsplit_once("::").map_or(String::new(), |(up, _)| up.to_owned());
        // Where `super` and `self` lead, and the whole path; `use` of several from one place has one prefix.
        let mut imported = BTreeSet::new();
        for statement in code.split("use ").skip(1) {
            let path: String =
                statement.chars().take_while(|c| c.is_alphanumeric() || "_:".contains(*c)).collect();
            let path = path.trim_end_matches(':');
            let absolute = if let Some(rest) = path.strip_prefix("crate::threads::") {
                rest.to_owned()
            } else if let Some(rest) = path.strip_prefix("super::") {
                let base = if folder == module { up(module) } else { parent.to_owned() };
                if base.is_empty() { rest.to_owned() } else { format!("{base}::{rest}") }
            } else if let Some(rest) = path.strip_prefix("self::") {
                format!("{folder}::{rest}")
            } else {
                continue;
            };
            // The longest path that is a file.
            let found =
                files.keys().filter(|file| absolute == **file || absolute.starts_with(&format!("{file}::")));
            imported.extend(found.max_by_key(|file| file.len()).cloned());
        }
        imported.remove(module);
        imports.insert(module.clone(), imported);
    }
    imports
}

/// Files that need each other are one file in pieces: in whatever order they are read, one that is not known
/// comes first.
#[test]
fn files_of_threads_have_no_circle() {
    let mut left = imports_in_threads();
    assert!(left.len() > 10 && left["pool"].contains("pool::shared"), "found only {left:?}");
    assert!(left["pool::builder"].contains("pool"), "found only {left:?}");
    assert!(left["scope"].contains("job"), "found only {left:?}");
    while let Some(next) = left.iter().find(|(_, imports)| imports.is_empty()).map(|(file, _)| file.clone()) {
        left.remove(&next);
        left.values_mut().for_each(|imports| _ = imports.remove(&next));
    }
    assert!(left.is_empty(), "these import from one another in a circle: {left:?}");
}

/// How many models are complete and how many are bounded stands in two documents, as the models say it.
#[test]
fn documents_count_the_models() {
    let mut files = Vec::new();
    let folder = root().join("loom-tests/src");
    rust_files(&folder, &mut files);
    let mut bounds: BTreeMap<u32, usize> = BTreeMap::new();
    let mut complete = 0;
    let is_own = |path: &&PathBuf| !path.ends_with("support.rs") && !path.starts_with(folder.join("spec"));
    for path in files.iter().filter(is_own) {
        let text = fs::read_to_string(path).unwrap();
        for line in text.split("model").skip(1) {
            if line.starts_with("(&") || line.starts_with("(\n") {
                complete += 1;
            } else if let Some(arguments) = line.strip_prefix("_bounded(") {
                let bound = arguments.trim_start().split(',').next().unwrap();
                let bound = bound.parse().unwrap_or_else(|_| panic!("{}: {bound}", path.display()));
                *bounds.entry(bound).or_default() += 1;
            }
        }
    }
    let all = complete + bounds.values().sum::<usize>();
    assert!(all > 200, "found only {all} models");
    let mut table = format!("| complete | {complete} |\n");
    for (bound, count) in bounds {
        table += &format!("| up to {bound} preemptions | {count} |\n");
    }
    let verification = fs::read_to_string(root().join("docs/verification.md")).unwrap();
    assert!(verification.contains(&format!("|--:|\n{table}")), "docs/verification.md is to have:\n{table}");
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains(&format!("{complete} of {all} models")), "README.md: {complete} of {all} models");
}
