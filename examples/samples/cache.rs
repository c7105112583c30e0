//! Results by content, which all threads read and few write.

use std::collections::HashMap;

use lockwork::RwLock;

/// What is known of the content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Measures {
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
    pub(crate) words: u64,
}

impl Measures {
    fn of(content: &[u8]) -> Self {
        let lines = content.iter().filter(|byte| **byte == b'\n').count() as u64;
        let words = content.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count() as u64;
        Self { bytes: content.len() as u64, lines, words }
    }
}

/// Measures of contents that have been seen.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    known: RwLock<HashMap<Vec<u8>, Measures>>,
}

impl Cache {
    /// The measures of `content`, and whether they were known.
    ///
    /// The lock is held to look and to note, not to measure: others look meanwhile. Two threads that find the
    /// same content missing at the same time both measure it, which is a pity and no mistake: they find the
    /// same.
    pub(crate) fn measures(&self, content: Vec<u8>) -> (Measures, bool) {
        // The guard ends with this statement; one that lived on into the `else` would wait for itself below.
        let known = self.known.read().get(&content).copied();
        if let Some(known) = known {
            return (known, true);
        }
        let measures = Measures::of(&content);
        self.known.write().insert(content, measures);
        (measures, false)
    }

    /// How many different contents there were.
    pub(crate) fn len(&self) -> usize {
        self.known.read().len()
    }
}
