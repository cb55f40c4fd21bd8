//! How often the admin routes answered, and how, and whom they did not let in.

/// Counts by route, kind and class of status. There are as many as the table of routes allows, and no more.
#[derive(Clone, Debug, Default)]
pub struct AdminRequests {
    counts: Vec<AdminCount>,
    refused: [u64; Refused::ALL.len()],
}

/// Why somebody was not let in, or not let do what they wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// They sent nothing that could let in.
    Missing,
    /// The token is none of ours, or has ended.
    Token,
    /// What they sent as the word of Cloudflare Access is not.
    Assertion,
    /// Another page may have sent it.
    CrossSite,
    /// Their role does not allow it.
    Role,
    /// It was not looked at: there were too many before.
    Limited,
}

impl Refused {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Missing, Self::Token, Self::Assertion, Self::CrossSite, Self::Role, Self::Limited];

    /// As it stands in metrics.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Token => "token",
            Self::Assertion => "assertion",
            Self::CrossSite => "cross_site",
            Self::Role => "role",
            Self::Limited => "limited",
        }
    }
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

    /// Counts somebody who was refused.
    pub const fn refuse(&mut self, why: Refused) {
        self.refused[why as usize] = self.refused[why as usize].saturating_add(1);
    }

    /// How many were refused, for each reason.
    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Refused::ALL.into_iter().map(|why| (why.text(), self.refused[why as usize]))
    }

    /// All counts, none of them 0.
    pub fn iter(&self) -> impl Iterator<Item = &AdminCount> {
        self.counts.iter()
    }
}
