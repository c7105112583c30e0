//! Writes the changed tree: a copy in which each place is a choice between what it was and what it may
//! become.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::find::{self, Kind, Mutant, Piece};

/// The numbers of mutants begin here: 0 picks none.
pub(crate) const FIRST: usize = 1;

/// What is added to the copy's `lib.rs`.
const CHOICE: &str = r#"
#[doc(hidden)]
#[allow(clippy::all, missing_docs)]
pub mod mutant_choice {
    use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};

    const UNKNOWN: u32 = u32::MAX;
    const NOTE: u32 = u32::MAX - 1;
    static PICKED: AtomicU32 = AtomicU32::new(UNKNOWN);
    static SEEN: [AtomicU8; COUNT] = [const { AtomicU8::new(0) }; COUNT];

    #[inline]
    pub fn on(mutant: u32) -> bool {
        let picked = PICKED.load(Relaxed);
        if picked < NOTE { picked == mutant } else { slow(mutant) }
    }

    #[cold]
    fn slow(mutant: u32) -> bool {
        if PICKED.load(Relaxed) == UNKNOWN {
            let picked = std::env::var("LOCKWORK_MUTANT").ok().and_then(|picked| picked.parse().ok());
            let note = std::env::var_os("LOCKWORK_MUTANTS_REACHED").is_some();
            PICKED.store(picked.unwrap_or(if note { NOTE } else { 0 }), Relaxed);
            return on(mutant);
        }
        if SEEN[mutant as usize].swap(1, Relaxed) == 0 {
            use std::io::Write;
            let path = std::env::var_os("LOCKWORK_MUTANTS_REACHED").unwrap();
            let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
            file.write_all(format!("{mutant}\n").as_bytes()).unwrap();
        }
        false
    }
}
"#;

/// A file of the copy, and where in it each mutant stands.
pub(crate) struct Written {
    text: String,
    places: Vec<(Range<usize>, usize)>,
}

impl Written {
    /// Returns the innermost mutant around a place.
    pub(crate) fn at(&self, place: &Range<usize>) -> Option<usize> {
        self.places
            .iter()
            .filter(|(range, _)| range.start <= place.start && place.end <= range.end)
            .min_by_key(|(range, _)| range.len())
            .map(|(_, mutant)| *mutant)
    }

    /// Returns the mutants inside a place, or before it, the last first.
    pub(crate) fn before(&self, place: &Range<usize>) -> Vec<usize> {
        let mut before: Vec<_> = self.places.iter().filter(|(range, _)| range.start < place.end).collect();
        before.sort_by_key(|(range, _)| usize::MAX - range.start);
        before.into_iter().map(|(_, mutant)| *mutant).collect()
    }
}

/// Returns the Rust files of `root` whose path begins with one of `prefixes`.
pub(crate) fn files(root: &Path, prefixes: &[&str]) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    walk(&root.join("src"), &mut |path| {
        let name = below(root, path);
        if prefixes.iter().any(|prefix| name.starts_with(prefix)) && name.ends_with(".rs") {
            found.push(name);
        }
        Ok(())
    })?;
    found.sort();
    Ok(found)
}

/// Returns all mutants of those files.
pub(crate) fn mutants(root: &Path, files: &[String]) -> Result<Vec<Mutant>, String> {
    let mut sources = Vec::new();
    let mut transformers = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(root.join(file)).map_err(|error| format!("{file}: {error}"))?;
        let source = syn::parse_file(&text).map_err(|error| format!("{file}: {error}"))?;
        transformers.append(&mut find::transformers(&source));
        sources.push((file, text, source));
    }
    Ok(sources
        .iter()
        .flat_map(|(file, text, source)| find::mutants(file, text, source, &transformers))
        .collect())
}

/// Returns the faults of `faults.txt`, each a piece of source and what stands in its place, in which `MUTANT`
/// says whether it is picked.
pub(crate) fn faults(root: &Path, faults: &str) -> Result<Vec<Mutant>, String> {
    let mut found = Vec::new();
    for fault in faults.split("\n==== ").skip(1) {
        let (name, rest) = fault.split_once('\n').ok_or("a fault has a name and a file")?;
        let (file, rest) = rest.split_once("\n<<<<\n").ok_or_else(|| format!("{name}: no <<<<"))?;
        let (old, rest) = rest.split_once("\n----\n").ok_or_else(|| format!("{name}: no ----"))?;
        let (new, _) = rest.split_once("\n>>>>").ok_or_else(|| format!("{name}: no >>>>"))?;
        let text = fs::read_to_string(root.join(file)).map_err(|error| format!("{name}: {file}: {error}"))?;
        let mut places = text.match_indices(old);
        let (Some((at, _)), None) = (places.next(), places.next()) else {
            return Err(format!("{name}: what it changes does not stand exactly once in {file}"));
        };
        if !new.contains("MUTANT") {
            return Err(format!("{name}: nothing in it says MUTANT"));
        }
        let mut pieces = Vec::new();
        for (index, part) in new.split("MUTANT").enumerate() {
            if index > 0 {
                pieces.push(Piece::Picked);
            }
            pieces.push(Piece::Text(part.to_owned()));
        }
        found.push(Mutant {
            kind: Kind::Fault,
            file: file.to_owned(),
            line: text[..at].lines().count(),
            function: "fault".to_owned(),
            change: name.to_owned(),
            range: at..at + old.len(),
            pieces,
        });
    }
    found.sort_by_key(|mutant| (mutant.file.clone(), mutant.range.start, usize::MAX - mutant.range.end));
    for pair in found.windows(2) {
        if pair[0].file == pair[1].file && pair[1].range.start < pair[0].range.end {
            return Err(format!("«{}» and «{}» change the same source", pair[0].change, pair[1].change));
        }
    }
    Ok(found)
}

/// Makes `to` a copy of the tree `from` with these mutants in it, which are sorted by file and place, but for
/// those that are left out.
pub(crate) fn copy(
    from: &Path,
    to: &Path,
    mutants: &[Mutant],
    left_out: &BTreeSet<usize>,
) -> io::Result<BTreeMap<String, Written>> {
    let mut written = BTreeMap::new();
    let mut kept = BTreeSet::new();
    walk(from, &mut |path| {
        let name = below(from, path);
        let target = to.join(&name);
        kept.insert(target.clone());
        let own: Vec<(usize, &Mutant)> = mutants
            .iter()
            .enumerate()
            .filter(|(index, mutant)| mutant.file == name && !left_out.contains(index))
            .collect();
        let mut bytes = fs::read(path)?;
        if !own.is_empty() {
            let text = String::from_utf8(bytes).map_err(io::Error::other)?;
            let file = render(&text, &own);
            bytes = file.text.clone().into_bytes();
            written.insert(name.clone(), file);
        }
        if name == "src/lib.rs" {
            bytes.extend(CHOICE.replace("COUNT", &(mutants.len() + FIRST).to_string()).into_bytes());
        }
        if name == "Cargo.toml" {
            // A changed tree has lines that the lints forbid.
            bytes = String::from_utf8_lossy(&bytes).replace("\"deny\"", "\"allow\"").into_bytes();
        }
        write_if_changed(&target, &bytes)
    })?;
    // What has gone from the tree goes from the copy.
    walk(to, &mut |path| if kept.contains(path) { Ok(()) } else { fs::remove_file(path) })?;
    Ok(written)
}

fn write_if_changed(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, bytes)
}

fn below(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

fn walk(dir: &Path, visit: &mut dyn FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    entries.sort();
    for path in entries {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if path.is_symlink() || name == "target" || name == ".git" {
            continue;
        }
        if path.is_dir() { walk(&path, visit)? } else { visit(&path)? }
    }
    Ok(())
}

fn render(text: &str, own: &[(usize, &Mutant)]) -> Written {
    let mut written = Written { text: String::with_capacity(2 * text.len()), places: Vec::new() };
    render_range(text, own, 0..text.len(), 0, &mut written);
    written
}

fn render_range(
    text: &str,
    own: &[(usize, &Mutant)],
    range: Range<usize>,
    from: usize,
    written: &mut Written,
) {
    let mut at = range.start;
    for (index, (number, mutant)) in own.iter().enumerate().skip(from) {
        if mutant.range.start < at || mutant.range.end > range.end {
            continue;
        }
        written.text.push_str(&text[at..mutant.range.start]);
        let start = written.text.len();
        for piece in &mutant.pieces {
            match piece {
                Piece::Text(text) => written.text.push_str(text),
                Piece::Plain(plain) => written.text.push_str(&text[plain.clone()]),
                Piece::Source(source) => render_range(text, own, source.clone(), index + 1, written),
                Piece::Picked => {
                    written.text.push_str(&format!("crate::mutant_choice::on({})", number + FIRST));
                }
            }
        }
        written.places.push((start..written.text.len(), *number));
        at = mutant.range.end;
    }
    written.text.push_str(&text[at..range.end]);
}
