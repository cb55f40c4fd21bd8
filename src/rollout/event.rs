//! What happens to a deployment, what is to be done about that, and why nothing is.

use super::deployment::Pace;
use super::deployment::Status;
use super::judge::Thresholds;
use super::plan::{Phase, Step, Values};
use super::sample::Sample;
use crate::clock::Millis;
use crate::config::approval::NotApproved;

/// What a deployment is started with.
#[derive(Clone, Debug)]
pub struct Order {
    /// Who starts it, and holds the lock.
    pub by: String,
    /// Where.
    pub environment: String,
    /// `PRODUCTION_MIGRATION_APPROVED`, as it is.
    pub approved: Option<String>,
    /// All steps.
    pub plan: Vec<Step>,
    /// The last phase that is wanted.
    pub target: Phase,
    /// The present value of every key that the plan writes.
    pub before: Values,
    /// What gates ask for.
    pub thresholds: Thresholds,
    /// How often is looked.
    pub pace: Pace,
}

/// What happened, or is wanted.
#[derive(Clone, Debug)]
pub enum Event {
    /// Somebody wants the lock, for a token of his own.
    Take {
        /// Who.
        by: String,
    },
    /// Who holds the lock lets it go.
    Release,
    /// An interval is over; this was counted from `observed_until_ms` on.
    Tick {
        /// Of who has the new.
        seen: Box<Sample>,
        /// Of who has not, meanwhile; without it the baseline is compared with.
        control: Option<Box<Sample>>,
    },
    /// All effects of the intent were carried out.
    Written,
    /// Somebody who has just taken the lock goes on with what is intended.
    Resume,
    /// It shall wait.
    Pause {
        /// Why.
        why: String,
    },
    /// The next step shall begin, whatever the gates say.
    Promote,
    /// What was before shall hold.
    Abort {
        /// Why.
        why: String,
    },
    /// The step shall be looked at anew; one that was rolled back begins anew.
    Retry {
        /// The present values, which a rollback then gives back. Read only after a rollback.
        before: Values,
        /// `PRODUCTION_MIGRATION_APPROVED`, as it is: what failed once is approved anew. Read only after a rollback.
        approved: Option<String>,
    },
    /// The step that needs it is approved. In production by the word of [`approve`](crate::config::approval::approve).
    Approve {
        /// The word.
        word: Option<String>,
    },
    /// Goes on to a later phase.
    Extend {
        /// Which.
        target: Phase,
    },
}

/// What the host must do, in this order, each only after the one before was done; after one that was refused, none. A token counts
/// from its save on: before it, somebody else may have taken the same one, and only one of two saves replaces a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Store the document that came with it. It replaces the revision before; the store refuses it otherwise, and if it has seen a
    /// newer token.
    Save {
        /// Of the document.
        revision: u64,
        /// Of who saves.
        fence: u64,
    },
    /// Write a value, or remove it. The store refuses it if it has seen a newer token.
    Write {
        /// Of who writes.
        fence: u64,
        /// Which.
        key: String,
        /// Exactly this; none removes it.
        value: Option<String>,
    },
}

/// Whether an effect with token `fence` may be carried out where `highest` was seen. Of a store, in the same atomic step.
#[must_use]
pub const fn admits(highest: u64, fence: u64) -> bool {
    fence >= highest
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Production, without the word.
    NotApproved(NotApproved),
    /// The plan, or a setting, is wrong.
    Wrong(&'static str),
    /// Somebody else holds the lock.
    Locked {
        /// Who.
        holder: String,
        /// Until when.
        until_ms: Millis,
    },
    /// The token is not the one that holds: another took the lock.
    Fenced,
    /// What is intended was not written yet: resume, or abort.
    Unfinished,
    /// It is not time to look.
    TooSoon {
        /// When it is.
        due_ms: Millis,
    },
    /// It makes no sense where the deployment stands.
    NotNow(Status),
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotApproved(not_approved) => not_approved.fmt(f),
            Self::Wrong(problem) => write!(f, "The deployment cannot be carried out: {problem}. Nothing was changed."),
            Self::Locked { holder, until_ms } => {
                write!(f, "{holder} holds the deployment, until {until_ms} (milliseconds since 1970) unless renewed.")
            }
            Self::Fenced => f.write_str("Another operator has taken the deployment over. Take it before you go on."),
            Self::Unfinished => f.write_str("A change was begun and not finished. Resume the deployment, or abort it."),
            Self::TooSoon { due_ms } => write!(f, "The next look is due at {due_ms} (milliseconds since 1970)."),
            Self::NotNow(status) => write!(f, "That makes no sense while the deployment is {status:?}."),
        }
    }
}

impl std::error::Error for Refused {}
