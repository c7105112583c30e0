//! The table of what became of each mutant, `results.tsv`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::build::Arm;
use crate::find::Kind;
use crate::run::Verdict;

/// The head of each column.
const HEAD: &str = "arm\tfile\tfunction\tchange\tkind\tverdict\tby\tdate";

/// A line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) kind: Kind,
    pub(crate) verdict: Verdict,
    pub(crate) date: String,
}

/// The whole table, by arm and key of a mutant.
pub(crate) struct Results {
    path: PathBuf,
    pub(crate) rows: BTreeMap<(String, String), Row>,
}

impl Results {
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let mut rows = BTreeMap::new();
        for line in fs::read_to_string(path).unwrap_or_default().lines().skip(1) {
            let parts: Vec<&str> = line.split('\t').collect();
            let [arm, file, function, change, kind, verdict, by, date] = parts[..] else {
                return Err(format!("{}: {line}", path.display()));
            };
            let count = |index: usize| by.split(" of ").nth(index).and_then(|count| count.parse().ok());
            let verdict = match verdict {
                "killed" => Verdict::Killed(by.to_owned()),
                "hang" => Verdict::Hung(by.to_owned()),
                "survived" => {
                    let (ran, of) = count(0).zip(count(1)).ok_or_else(|| line.to_owned())?;
                    Verdict::Survived { ran, of }
                }
                "unreached" => Verdict::Unreached,
                _ => return Err(format!("{}: {line}", path.display())),
            };
            let kind = Kind::from_name(kind).ok_or_else(|| line.to_owned())?;
            let key = (arm.to_owned(), format!("{file}\t{function}\t{change}"));
            rows.insert(key, Row { kind, verdict, date: date.to_owned() });
        }
        Ok(Self { path: path.to_owned(), rows })
    }

    pub(crate) fn of(&self, arm: Arm, key: &str) -> Option<&Row> {
        self.rows.get(&(arm.name().to_owned(), key.to_owned()))
    }

    pub(crate) fn set(&mut self, arm: Arm, key: String, kind: Kind, verdict: Verdict) {
        self.rows.insert((arm.name().to_owned(), key), Row { kind, verdict, date: today() });
    }

    /// Writes the table, with what other runs have written to it meanwhile.
    pub(crate) fn write(&mut self) -> Result<(), String> {
        for (key, row) in Self::read(&self.path)?.rows {
            self.rows.entry(key).or_insert(row);
        }
        let mut lines = vec![HEAD.to_owned()];
        for ((arm, key), row) in &self.rows {
            let (verdict, by) = match &row.verdict {
                Verdict::Killed(by) => ("killed", by.clone()),
                Verdict::Hung(by) => ("hang", by.clone()),
                Verdict::Survived { ran, of } => ("survived", format!("{ran} of {of}")),
                Verdict::Unreached => ("unreached", String::new()),
            };
            lines.push(format!("{arm}\t{key}\t{}\t{verdict}\t{by}\t{}", row.kind.name(), row.date));
        }
        // Renamed, so that no other run reads half of it.
        let new = self.path.with_extension(format!("{}.new", process::id()));
        fs::write(&new, lines.join("\n") + "\n")
            .and_then(|()| fs::rename(&new, &self.path))
            .map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

/// The date in UTC.
pub(crate) fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    // Days since the first of March of the year 0, in eras of 400 years: leap days come last in a year.
    let days = seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year + carry)
}
