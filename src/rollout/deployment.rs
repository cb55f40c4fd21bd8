//! A deployment: the document that is kept of it, and whether one that was read may be gone on with.
//!
//! Whoever reads it knows what holds, what is about to be written, and what was there before: nothing of that is anywhere else.

use serde::{Deserialize, Serialize};

use super::judge::{Judgement, Thresholds};
use super::plan::{self, Phase, Step, Values};
use super::sample::Sample;
use crate::clock::{Instant, Millis};

/// For how long who holds the lock may be silent, in milliseconds.
pub const LOCK_MS: Millis = 60_000;
/// Longest name and reason that are kept, in bytes.
pub const TEXT_MAX: usize = 500;

/// Where a deployment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// A step holds and is looked at.
    Running,
    /// Somebody must say what to do: promote, retry or abort.
    Paused,
    /// The next step needs approval.
    AwaitingApproval,
    /// All steps up to the target passed. It can be extended, and rolled back.
    Done,
    /// What was before is being written, or was: there is no intent any more then.
    RolledBack,
}

/// What is about to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Intent {
    /// The writes of this step.
    Step(usize),
    /// What was before.
    Back,
}

/// Who may act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lock {
    /// Who.
    pub holder: String,
    /// From when on another may take it.
    pub until_ms: Millis,
}

/// How often is looked, and from which look on a step may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pace {
    /// Between two looks, in milliseconds, at least 1.
    pub interval_ms: Millis,
    /// Looks before a step goes on, at least 1.
    pub looks_min: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { interval_ms: 60_000, looks_min: 3 }
    }
}

/// A deployment: everything that is to be kept of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deployment {
    /// Rises by one with every save: a save replaces exactly the one before.
    pub revision: u64,
    /// The token of who holds the lock, and of the change that he makes; rises by one with each.
    pub fence: u64,
    /// None while nobody acts.
    pub lock: Option<Lock>,
    /// Where it is.
    pub environment: String,
    /// All steps.
    pub plan: Vec<Step>,
    /// The last phase that is wanted.
    pub target: Phase,
    /// Every key that the plan writes, exactly as it was.
    pub before: Values,
    /// What gates ask for.
    pub thresholds: Thresholds,
    /// How often is looked.
    pub pace: Pace,
    /// Where it stands.
    pub status: Status,
    /// Why, at most [`TEXT_MAX`] bytes.
    pub why: String,
    /// The step that holds.
    pub step: usize,
    /// The last step whose writes were ordered since it began.
    pub reached: usize,
    /// What is about to be written; none when all was.
    pub intent: Option<Intent>,
    /// When the step began, or was begun anew.
    pub since_ms: Millis,
    /// Up to when it was looked at.
    pub observed_until_ms: Millis,
    /// How often it was.
    pub looks: u32,
    /// What was counted since it began.
    pub seen: Sample,
    /// The same of who does not have the new, where a host counts that. Compared with once it is as large as a baseline must be.
    pub control: Option<Sample>,
    /// What was counted in validation.
    pub baseline: Option<Sample>,
    /// What the gates said last.
    pub judgement: Option<Judgement>,
}

impl Deployment {
    /// What is wrong with a document that was read; nothing if it may be gone on with.
    #[must_use]
    pub fn problem(&self) -> Option<&'static str> {
        let is_in = |step: usize| step < self.plan.len();
        let intended = match self.intent {
            Some(Intent::Step(step)) => is_in(step) && step == self.reached && step == self.step + 1,
            Some(Intent::Back) => self.status == Status::RolledBack,
            None => true,
        };
        plan::problem(&self.plan, &self.before)
            .or_else(|| self.thresholds.problems().first().copied())
            .or_else(|| (!is_in(self.step) || !is_in(self.reached)).then_some("there is no such step"))
            .or_else(|| (self.reached < self.step).then_some("a step holds that was not ordered"))
            .or_else(|| (!intended).then_some("what is intended does not follow from what holds"))
            .or_else(|| (self.fence == 0 || self.revision == 0).then_some("it was never saved"))
    }

    /// When the next look is due.
    #[must_use]
    pub const fn due(&self) -> Instant {
        Instant(self.observed_until_ms).plus(self.pace.interval_ms)
    }

    /// The share that has the new, in percent; of a change that is under way, what it was before.
    #[must_use]
    pub fn percent(&self) -> u8 {
        let is_back = self.status == Status::RolledBack && self.intent.is_none();
        self.plan.get(self.step).filter(|_| !is_back).map_or(0, |step| step.percent)
    }

    /// Gives the lock to somebody, or renews it.
    pub(super) fn hold(&mut self, by: &str, now: Instant) {
        self.lock = Some(Lock { holder: short(by), until_ms: now.plus(LOCK_MS).0 });
    }

    /// Says where it stands, and why.
    pub(super) fn stand(&mut self, status: Status, why: &str) {
        (self.status, self.why) = (status, short(why));
    }

    /// Looks at the step from now on, as if nothing had been seen of it.
    pub(super) fn begin(&mut self, now: Instant) {
        (self.since_ms, self.observed_until_ms, self.looks) = (now.0, now.0, 0);
        (self.seen, self.control, self.judgement) = (Sample::default(), None, None);
    }
}

/// At most [`TEXT_MAX`] bytes of a text.
fn short(text: &str) -> String {
    text.chars()
        .scan(0, |length, character| {
            *length += character.len_utf8();
            (*length <= TEXT_MAX).then_some(character)
        })
        .collect()
}
