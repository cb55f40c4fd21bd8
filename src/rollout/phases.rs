//! The phases of a deployment: what it does next, as a function of what it is, what happened, and the time.
//!
//! The document says what is about to be written before anything is, and what was written after all of it: first
//! [`Effect::Save`] with an intent, then each [`Effect::Write`], then [`Event::Written`] and a save without the intent. So after a
//! crash between any two of them, [`Event::Resume`] writes the rest again, or [`Event::Abort`] what was there before; every
//! value in the store is the one before, or that of a step that was ordered.
//!
//! One operator at a time: [`Event::Take`] gives the next **fencing token**, when the lock of the one before has lapsed or was let
//! go; each change that is begun, taken back or resumed has a token of its own as well. An event with an older token is refused here,
//! and an effect with an older one by the store ([`admits`]): who took long over a write cannot undo what was done since.
//!
//! With the defaults a step holds for three intervals of one minute at least. It goes on at the first look from the third on that
//! passes, goes back at the first that fails, and is paused after five that could not tell.

use serde::{Deserialize, Serialize};

use super::judge::{Judgement, Thresholds, Verdict, judge};
use super::plan::{self, Phase, Step, Values};
use super::sample::Sample;
use crate::clock::{Instant, Millis};
use crate::config::approval::{NotApproved, approve};

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
    /// The same of who does not have the new, where a host counts that.
    pub control: Option<Sample>,
    /// What was counted in validation.
    pub baseline: Option<Sample>,
    /// What the gates said last.
    pub judgement: Option<Judgement>,
}

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
    },
    /// The step that needs it is approved. In production by the word of [`approve`].
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

/// What becomes of it, and what is to be done for that.
pub type Next = Result<(Deployment, Vec<Effect>), Refused>;

/// Starts a deployment, after the one before if there was one. Its first step, validation, writes nothing.
///
/// # Errors
///
/// [`Refused`] in production without approval, for a wrong plan or setting, and while the one before is under way. Nothing
/// is to be done then.
pub fn start(order: Order, previous: Option<&Deployment>, now: Instant) -> Next {
    let Order { by, environment, approved, plan, target, before, thresholds, pace } = order;
    approve(&environment, approved.as_deref(), false).map_err(Refused::NotApproved)?;
    let wrong = plan::problem(&plan, &before).or_else(|| thresholds.problems().first().copied());
    let is_paced = pace.interval_ms >= 1 && (1..=thresholds.looks_max).contains(&pace.looks_min);
    let wrong = wrong.or_else(|| (!is_paced).then_some("looksMin is 1 to looksMax, intervalMs at least 1"));
    if let Some(problem) = wrong {
        return Err(Refused::Wrong(problem));
    }
    if let Some(previous) = previous {
        let is_over = matches!(previous.status, Status::Done | Status::RolledBack) && previous.intent.is_none();
        if !is_over {
            return Err(Refused::NotNow(previous.status));
        }
        previous.is_free_for(&by, now)?;
    }
    let (revision, fence) = previous.map_or((0, 0), |previous| (previous.revision, previous.fence));
    let mut next = Deployment {
        revision,
        fence: fence + 1,
        lock: None,
        environment,
        plan,
        target,
        before,
        thresholds,
        pace,
        status: Status::Running,
        why: String::new(),
        step: 0,
        reached: 0,
        intent: None,
        since_ms: 0,
        observed_until_ms: 0,
        looks: 0,
        seen: Sample::default(),
        control: None,
        baseline: None,
        judgement: None,
    };
    next.hold(&by, now);
    next.begin(now);
    Ok(next.saved(Vec::new()))
}

impl Deployment {
    /// Takes in an event of who has token `fence`.
    ///
    /// # Errors
    ///
    /// [`Refused`]: nothing changes, and nothing is to be done.
    pub fn apply(&self, fence: u64, event: Event, now: Instant) -> Next {
        let mut next = self.clone();
        if let Event::Take { by } = event {
            self.is_free_for(&by, now)?;
            next.fence += 1;
            next.hold(&by, now);
            return Ok(next.saved(Vec::new()));
        }
        let holder = self.lock.as_ref().filter(|_| fence == self.fence).ok_or(Refused::Fenced)?;
        next.hold(&holder.holder, now);
        let is_unfinished = self.intent.is_some();
        match event {
            Event::Abort { why } => return next.back(&why),
            Event::Written => return next.written(now),
            Event::Resume => {
                next.fence += 1;
                let writes = next.intent.map_or_else(Vec::new, |intent| next.writes(intent));
                return Ok(next.saved(writes));
            }
            Event::Release => next.lock = None,
            _ if is_unfinished => return Err(Refused::Unfinished),
            Event::Tick { seen, control } => return next.tick(&seen, control.as_deref(), now),
            Event::Pause { why } => {
                next.must_be(&[Status::Running, Status::AwaitingApproval])?;
                next.stand(Status::Paused, &why);
            }
            Event::Promote => {
                next.must_be(&[Status::Running, Status::Paused])?;
                return next.advance(now);
            }
            Event::Approve { word } => {
                next.must_be(&[Status::AwaitingApproval])?;
                approve(&self.environment, word.as_deref(), false).map_err(Refused::NotApproved)?;
                return next.order(self.step + 1);
            }
            Event::Retry { before } if self.status == Status::RolledBack => {
                if let Some(problem) = plan::problem(&self.plan, &before) {
                    return Err(Refused::Wrong(problem));
                }
                (next.before, next.step, next.reached, next.baseline) = (before, 0, 0, None);
                next.stand(Status::Running, "");
                next.begin(now);
            }
            Event::Retry { .. } => {
                next.must_be(&[Status::Paused])?;
                next.stand(Status::Running, "");
                next.begin(now);
            }
            Event::Extend { target } => {
                next.must_be(&[Status::Done])?;
                next.target = target;
                return next.advance(now);
            }
            Event::Take { .. } => {}
        }
        Ok(next.saved(Vec::new()))
    }

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

    fn is_free_for(&self, by: &str, now: Instant) -> Result<(), Refused> {
        match &self.lock {
            Some(Lock { holder, until_ms }) if holder != by && now < Instant(*until_ms) => {
                Err(Refused::Locked { holder: holder.clone(), until_ms: *until_ms })
            }
            _ => Ok(()),
        }
    }

    fn hold(&mut self, by: &str, now: Instant) {
        self.lock = Some(Lock { holder: short(by), until_ms: now.plus(LOCK_MS).0 });
    }

    fn must_be(&self, allowed: &[Status]) -> Result<(), Refused> {
        if allowed.contains(&self.status) { Ok(()) } else { Err(Refused::NotNow(self.status)) }
    }

    fn stand(&mut self, status: Status, why: &str) {
        (self.status, self.why) = (status, short(why));
    }

    /// Looks at the step from now on, as if nothing had been seen of it.
    fn begin(&mut self, now: Instant) {
        (self.since_ms, self.observed_until_ms, self.looks) = (now.0, now.0, 0);
        (self.seen, self.control, self.judgement) = (Sample::default(), None, None);
    }

    fn saved(mut self, writes: Vec<Effect>) -> (Self, Vec<Effect>) {
        self.revision += 1;
        let save = Effect::Save { revision: self.revision, fence: self.fence };
        (self, [save].into_iter().chain(writes).collect())
    }

    fn tick(mut self, seen: &Sample, control: Option<&Sample>, now: Instant) -> Next {
        self.must_be(&[Status::Running])?;
        if now < self.due() {
            return Err(Refused::TooSoon { due_ms: self.due().0 });
        }
        self.seen.add(seen);
        if let Some(control) = control {
            self.control.get_or_insert_default().add(control);
        }
        self.observed_until_ms = now.0;
        self.looks += 1;
        let is_validation = self.plan.get(self.step).is_none_or(|step| step.phase == Phase::Validation);
        let compared = self.control.as_ref().or(self.baseline.as_ref()).filter(|_| !is_validation);
        let judgement = match compared {
            // Without a baseline nothing can be compared: that is not to know.
            None if !is_validation => judge(&self.thresholds, &self.seen, Some(&Sample::default())),
            compared => judge(&self.thresholds, &self.seen, compared),
        };
        let (verdict, why) = (judgement.verdict, judgement.why());
        self.judgement = Some(judgement);
        match verdict {
            Verdict::Fail => self.back(&why),
            Verdict::Pass if self.looks >= self.pace.looks_min => self.advance(now),
            Verdict::Inconclusive if self.looks >= self.thresholds.looks_max => {
                self.stand(Status::Paused, &why);
                Ok(self.saved(Vec::new()))
            }
            _ => Ok(self.saved(Vec::new())),
        }
    }

    /// The step is over: the next one, if it is wanted.
    fn advance(mut self, now: Instant) -> Next {
        if self.plan.get(self.step).is_some_and(|step| step.phase == Phase::Validation) {
            self.baseline = Some(self.seen.clone());
        }
        let following = self.step + 1;
        let next = self.plan.get(following).filter(|step| step.phase <= self.target);
        match next.map(|step| step.needs_approval) {
            None => self.stand(Status::Done, ""),
            Some(true) => self.stand(Status::AwaitingApproval, "the next step needs approval"),
            Some(false) => return self.order(following),
        }
        self.observed_until_ms = now.0;
        Ok(self.saved(Vec::new()))
    }

    /// Says that a step shall be written, and has it written.
    fn order(mut self, step: usize) -> Next {
        self.stand(Status::Running, "");
        self.fence += 1;
        self.intent = Some(Intent::Step(step));
        self.reached = step;
        let writes = self.writes(Intent::Step(step));
        Ok(self.saved(writes))
    }

    /// Says that what was before shall hold, and has it written.
    fn back(mut self, why: &str) -> Next {
        if self.status == Status::RolledBack && self.intent.is_none() {
            return Err(Refused::NotNow(self.status));
        }
        self.stand(Status::RolledBack, why);
        self.fence += 1;
        self.intent = Some(Intent::Back);
        let writes = self.writes(Intent::Back);
        Ok(self.saved(writes))
    }

    fn written(mut self, now: Instant) -> Next {
        match self.intent.take() {
            Some(Intent::Step(step)) => {
                self.step = step;
                self.begin(now);
            }
            Some(Intent::Back) => {}
            None => return Err(Refused::NotNow(self.status)),
        }
        Ok(self.saved(Vec::new()))
    }

    /// Going back, keys that no step has touched are left alone, and those touched last come first.
    fn writes(&self, intent: Intent) -> Vec<Effect> {
        let write = |key: &str, value| Effect::Write { fence: self.fence, key: key.to_owned(), value };
        match intent {
            Intent::Step(step) => self.plan.get(step).map_or_else(Vec::new, |step| {
                step.writes.iter().map(|(key, value)| write(key, Some(value.clone()))).collect()
            }),
            Intent::Back => {
                let mut keys: Vec<&str> = Vec::new();
                let touched = self.plan.iter().take(self.reached + 1).flat_map(|step| &step.writes);
                for (key, _) in touched.rev() {
                    if !keys.contains(&key.as_str()) {
                        keys.push(key);
                    }
                }
                keys.into_iter().map(|key| write(key, self.before.get(key).cloned().flatten())).collect()
            }
        }
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
