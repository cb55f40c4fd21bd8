//! What is wrong with a document, all of it at once, each with its place.

use std::fmt::{self, Write as _};

use crate::config::nearest::nearest;

/// Most faults, and most warnings, that are told of one document.
pub const FAULTS_MAX: usize = 100;
/// Longest piece of a document that is told, in bytes.
const QUOTED_MAX: usize = 64;

/// One thing that is wrong, or worth a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where: `flags.new-checkout.rules[0].rollout`. Empty for the whole document.
    pub path: String,
    /// What is wrong, and what to do.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.problem) } else { write!(f, "{}: {}", self.path, self.problem) }
    }
}

/// What was found so far, and where in the document the reader is.
#[derive(Debug, Default)]
pub(super) struct Finder {
    path: String,
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<Fault>,
}

impl Finder {
    /// Goes to a member for as long as `work` takes.
    pub(super) fn member<T>(&mut self, name: &str, work: impl FnOnce(&mut Self) -> T) -> T {
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '$');
        let length = self.path.len();
        let name = quoted(name);
        if name.chars().all(is_plain) {
            if !self.path.is_empty() {
                self.path.push('.');
            }
            self.path.push_str(name);
        } else {
            // Writing to a string cannot fail.
            _ = write!(self.path, "[{name:?}]");
        }
        let found = work(self);
        self.path.truncate(length);
        found
    }

    /// Goes to an item of a list for as long as `work` takes.
    pub(super) fn item<T>(&mut self, index: usize, work: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        _ = write!(self.path, "[{index}]");
        let found = work(self);
        self.path.truncate(length);
        found
    }

    pub(super) fn fault(&mut self, problem: impl Into<String>) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(Fault { path: self.path.clone(), problem: problem.into() });
        }
    }

    pub(super) fn warn(&mut self, problem: impl Into<String>) {
        if self.warnings.len() < FAULTS_MAX {
            self.warnings.push(Fault { path: self.path.clone(), problem: problem.into() });
        }
    }

    /// A fault or warning about a name that is not known, with the known one that it was probably meant to be.
    pub(super) fn unknown(&self, what: &str, name: &str, known: &mut dyn Iterator<Item = &str>) -> String {
        let mut problem = format!("{:?} is no {what}", quoted(name));
        if let Some(nearest) = nearest(name, known) {
            _ = write!(problem, ". Did you mean {nearest:?}?");
        }
        problem
    }
}

/// The beginning of a text, short enough to be told.
pub(super) fn quoted(text: &str) -> &str {
    &text[..text.floor_char_boundary(QUOTED_MAX)]
}
