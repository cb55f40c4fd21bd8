//! What goes wrong, where and when.

use super::clock::Ms;

/// The colos that a fault reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Everywhere,
    Colo(u16),
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Trouble {
    /// The database refuses connections within a few milliseconds.
    Refused,
    /// The database fails after so many milliseconds.
    Fails { after_ms: Ms },
    /// The database never answers: a call lasts until its deadline.
    Silent,
    /// The database takes so many times longer.
    Slow { factor: f64 },
    /// This share of the answers are errors.
    Errors { share: f64 },
    /// KV answers with an error.
    KvDown,
    /// KV never answers.
    KvSilent,
    /// This share of KV's writes is acknowledged and lost.
    KvLoses { share: f64 },
    /// This share of KV's answers is damaged.
    KvCorrupts { share: f64 },
    /// KV holds nothing: the namespace is gone, or everything has expired.
    KvEmpty,
    /// The near layer holds nothing.
    NearGone,
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) from: Ms,
    /// Over from then on.
    pub(crate) to: Ms,
    pub(crate) place: Place,
    pub(crate) trouble: Trouble,
}

impl Fault {
    pub(crate) const fn everywhere(from: Ms, to: Ms, trouble: Trouble) -> Self {
        Self { from, to, place: Place::Everywhere, trouble }
    }

    pub(crate) const fn in_colo(colo: u16, from: Ms, to: Ms, trouble: Trouble) -> Self {
        Self { from, to, place: Place::Colo(colo), trouble }
    }
}

/// All faults of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Faults(pub(crate) Vec<Fault>);

impl Faults {
    /// What goes wrong at a time and place.
    pub(crate) fn at(&self, at: Ms, colo: u16) -> impl Iterator<Item = Trouble> {
        self.0
            .iter()
            .filter(move |fault| at >= fault.from && at < fault.to)
            .filter(move |fault| matches!(fault.place, Place::Everywhere) || fault.place == Place::Colo(colo))
            .map(|fault| fault.trouble)
    }

    /// Whether the database answers nobody at this time and place.
    pub(crate) fn is_database_dead(&self, at: Ms, colo: u16) -> bool {
        self.at(at, colo).any(|trouble| matches!(trouble, Trouble::Refused | Trouble::Fails { .. } | Trouble::Silent))
    }
}
