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

use super::deployment::{Deployment, Intent, Lock, Status};
use super::event::{Effect, Event, Order, Refused};
use super::judge::{Verdict, judge};
use super::plan::{self, Phase};
use super::sample::Sample;
use crate::clock::Instant;
use crate::config::approval::approve;

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

/// A key, and exactly what is under it afterwards; none removes it.
pub type Written = (String, Option<String>);

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
            Event::Retry { before, approved } if self.status == Status::RolledBack => {
                approve(&self.environment, approved.as_deref(), false).map_err(Refused::NotApproved)?;
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

    /// The same where document and values are changed in one step: what to keep afterwards, and what to write with it, in order.
    /// Nothing is left intended, so there is nothing to resume.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply).
    pub fn apply_at_once(&self, fence: u64, event: Event, now: Instant) -> Result<(Self, Vec<Written>), Refused> {
        let (mut next, effects) = self.apply(fence, event, now)?;
        if next.intent.is_some() {
            (next, _) = next.apply(next.fence, Event::Written, now)?;
        }
        next.revision = self.revision + 1;
        let written = |effect| match effect {
            Effect::Write { key, value, .. } => Some((key, value)),
            Effect::Save { .. } => None,
        };
        Ok((next, effects.into_iter().filter_map(written).collect()))
    }

    fn is_free_for(&self, by: &str, now: Instant) -> Result<(), Refused> {
        match &self.lock {
            Some(Lock { holder, until_ms }) if holder != by && now < Instant(*until_ms) => {
                Err(Refused::Locked { holder: holder.clone(), until_ms: *until_ms })
            }
            _ => Ok(()),
        }
    }

    fn must_be(&self, allowed: &[Status]) -> Result<(), Refused> {
        if allowed.contains(&self.status) { Ok(()) } else { Err(Refused::NotNow(self.status)) }
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
        // The more have the new, the fewer are left to compare with; what was before is then the better measure.
        let is_enough = |control: &&Sample| control.attempts >= self.thresholds.baseline_attempts_min;
        let control = self.control.as_ref().filter(is_enough);
        let compared = control.or(self.baseline.as_ref()).filter(|_| !is_validation);
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
