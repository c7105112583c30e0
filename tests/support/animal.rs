//! A value behind a trait object, whose drop is counted.

use super::Counted;

pub(crate) trait Animal: Send + Sync {
    fn name(&self) -> &str;
    fn rename(&mut self, name: &str);
}

pub(crate) struct Dog {
    pub(crate) name: String,
    pub(crate) _counted: Counted,
}

impl Animal for Dog {
    fn name(&self) -> &str {
        &self.name
    }

    fn rename(&mut self, name: &str) {
        self.name = name.to_owned();
    }
}
