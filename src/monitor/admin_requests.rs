//! How often the admin routes answered, and how.

/// Counts by route, kind and class of status. There are as many as the table of routes allows, and no more.
#[derive(Clone, Debug, Default)]
pub struct AdminRequests {
    counts: Vec<AdminCount>,
}

/// One count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdminCount {
    /// The route as the table has it, below the admin path; empty for paths where nothing is.
    pub route: &'static str,
    /// Whether it was asked to change something.
    pub is_write: bool,
    /// The first digit of the status.
    pub status_class: u16,
    /// How often.
    pub count: u64,
}

impl AdminRequests {
    /// Counts one answer.
    pub fn count(&mut self, route: &'static str, is_write: bool, status: u16) {
        let status_class = status / 100;
        let is_it = |count: &&mut AdminCount| {
            (count.route, count.is_write, count.status_class) == (route, is_write, status_class)
        };
        match self.counts.iter_mut().find(is_it) {
            Some(found) => found.count = found.count.saturating_add(1),
            None => self.counts.push(AdminCount { route, is_write, status_class, count: 1 }),
        }
    }

    /// All counts, none of them 0.
    pub fn iter(&self) -> impl Iterator<Item = &AdminCount> {
        self.counts.iter()
    }
}
