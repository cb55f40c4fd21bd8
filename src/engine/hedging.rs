//! A second leg for a read that has not answered: when it may start, and what the end of either leg means.

use super::Engine;
use super::call::Doing;
use super::legs::{Leg, Out};
use super::step::CallId;
use crate::clock::Instant;
use crate::note::Note;
use crate::outcome::{Judgement, Outcome};
use crate::policy::Cx;
use crate::policy::breaker::{Admission, State};
use crate::policy::hedge::{HedgeAnswer, Race, RaceAnswer};
use crate::policy::lease::LeaseAnswer;
use crate::query::{Layers, Priority};

impl Engine {
    /// Starts a second leg of a read whose first is out for long, on a lease of its own.
    ///
    /// It asks, in order, the hedge, the share of reads that may have a second leg, the breaker, the budget that retries
    /// take from, and the pool. Nobody waits for a second leg: without a free lease there is none. Changes nothing
    /// unless the answer is [`HedgeAnswer::Start`].
    pub fn hedge(&mut self, id: CallId, now: Instant) -> HedgeAnswer {
        let Some(call) = self.calls.get(id).copied() else { return HedgeAnswer::Never };
        let Doing::Attempting { since, .. } = call.doing else { return HedgeAnswer::Never };
        let calls = &self.calls;
        self.legs.keep(|id| calls.get(id).is_some());
        if self.legs.of(id).is_some() || self.legs.is_full() || now >= call.deadline {
            return HedgeAnswer::Never;
        }
        let mut race = Race::new(call.is_hedged, since);
        let answer = self.config.hedge.decide(&race, now);
        if answer != HedgeAnswer::Start {
            return answer;
        }
        let tally = self.notes.tally();
        if tally.hedged as f64 >= 1.0 + self.config.hedge_ratio * tally.successful() as f64 {
            return HedgeAnswer::Never;
        }
        let mut cx = Cx { now, rng: &mut self.rng, notes: &mut self.notes };
        // Probes are counted one by one, and a closed circuit admits all.
        if call.layers.has_breaker() && self.breaker.state(now) != State::Closed {
            return HedgeAnswer::Never;
        }
        if self.retries.tokens() < 1.0 {
            cx.notes.push(Note::RetryBudgetSpent, now);
            return HedgeAnswer::Never;
        }
        let lease = match call.layers.has_pool() && self.config.is_pool_on {
            // Whoever is not patient does not queue.
            true => match self.pool.decide(id.to_number(), Priority::Medium, None, now, &mut cx) {
                LeaseAnswer::Granted(lease) => Some(lease),
                // The first leg is out already: the second one is check enough.
                LeaseAnswer::Check(lease) => {
                    self.pool.checked(lease, true, &mut cx);
                    Some(lease)
                }
                _ => return HedgeAnswer::Never,
            },
            false => None,
        };
        self.retries.withdraw();
        let admission =
            if call.layers.has_breaker() { self.breaker.admit(call.deadline, &mut cx) } else { Admission::BYPASS };
        cx.notes.push(Note::Hedged, now);
        race.start(now);
        self.legs.put(Leg { call: id, out: Out { admission, lease, since: now }, race });
        HedgeAnswer::Start
    }

    /// Takes in how one of two legs ended. True when the call goes on with the other one; false when it ends as this
    /// leg did, which is then to be reported: the other one is to be taken back, and counts for nothing.
    pub fn end_leg(&mut self, id: CallId, is_second: bool, judgement: Judgement, now: Instant) -> bool {
        let Some(mut leg) = self.legs.take(id) else { return false };
        let Some(mut call) = self.calls.get(id).copied() else { return false };
        let Doing::Attempting { admission, lease, since } = call.doing else { return false };
        let first = Out { admission, lease, since };
        let (ended, other) = if is_second { (leg.out, first) } else { (first, leg.out) };
        let goes_on = self.config.hedge.observe(&mut leg.race, judgement.outcome) == RaceAnswer::Waits;
        let (rest, outcome, kept) =
            if goes_on { (ended, judgement.outcome, other) } else { (other, Outcome::Aborted, ended) };
        self.observe_leg(rest, outcome, now);
        if is_second && !goes_on {
            self.notes.push(Note::HedgeWon, now);
        }
        call.doing = Doing::Attempting { admission: kept.admission, lease: kept.lease, since: kept.since };
        self.calls.put(id, call);
        goes_on
    }

    /// Takes a second leg back whose call has ended without it.
    #[cold]
    #[inline(never)]
    pub(super) fn drop_leg(&mut self, id: CallId, now: Instant) {
        if let Some(Leg { out, .. }) = self.legs.take(id) {
            self.observe_leg(out, Outcome::Aborted, now);
        }
    }

    fn observe_leg(&mut self, out: Out, outcome: Outcome, now: Instant) {
        self.observe_rare(outcome, out.admission, out.lease, out.since, Layers::ALL, now);
    }
}
