//! What a tenant may use, asked before anything else: how many operations at once, and how many a second.
//!
//! A refusal here says nothing about the database and counts for nothing. With no such limit, nothing is asked: closing and
//! limits share the one condition at the beginning of a call.

use super::Engine;
use super::call::Doing;
use super::step::{CallId, Step};
use crate::clock::Instant;
use crate::error::Code;
use crate::query::{Class, Query};
use crate::state::schema::{Cell, Phase};

impl Engine {
    /// Whether [`Engine::gate`] has something to ask.
    pub(super) const fn is_gate_needed(&self) -> bool {
        self.is_closed || self.rate.is_on() || self.config.concurrent_max > 0
    }

    /// Refuses a call of a closed engine, one too many at once, and one too many in a while. Statements of a transaction
    /// belong to the call that is there already; probes are the host's own.
    #[cold]
    #[inline(never)]
    pub(super) fn gate(&mut self, query: &Query, now: Instant) -> Option<Step> {
        if self.is_closed {
            return Some(self.refuse(Code::ClientClosed, Instant::NEVER, 0, now));
        }
        if query.is_held || query.class == Class::HealthCheck {
            return None;
        }
        if self.is_full(now) {
            return Some(self.refuse(Code::PoolQueueFull, Instant::NEVER, 0, now));
        }
        let retry_at = self.rate.decide(now).err()?;
        Some(self.refuse(Code::RateLimited, retry_at, 0, now))
    }

    fn is_full(&mut self, now: Instant) -> bool {
        let max = self.config.concurrent_max as usize;
        if max == 0 || self.calls.running() < max || self.calls.running_apart() < max {
            return false;
        }
        self.forget_vanished(self.calls.places(), now);
        self.calls.running_apart() >= max
    }

    /// Lets an attempt begin only now: what it waited for since was not the database.
    pub fn restart(&mut self, id: CallId, now: Instant) {
        if let Some(mut call) = self.calls.get(id).copied()
            && let Doing::Attempting { since, .. } = &mut call.doing
        {
            *since = now;
            self.calls.put(id, call);
        }
    }

    /// When the rate limit's bucket will be full but for one; see [`Rate::due`](crate::policy::rate::Rate::due).
    #[must_use]
    pub const fn rate_due(&self) -> Instant {
        self.rate.due()
    }

    /// Goes on where a tenant's engine was put aside: its bucket, and until when its circuit was open, if it was.
    pub fn resume(&mut self, rate_due: Instant, open_until: Option<Instant>, now: Instant) {
        self.rate.restore(rate_due);
        if let Some(until) = open_until.filter(|until| *until > now) {
            let generation = now.seconds();
            let cell = Cell { generation, phase: Phase::Open, round: 0, until, opened_at: now, writer: self.id };
            self.breaker.advise(cell, cx!(self, now));
        }
    }

    /// Operations at once at most, 0 for no bound, and connections.
    #[must_use]
    pub const fn bounds(&self) -> (u32, u32) {
        (self.config.concurrent_max, self.config.pool.leases_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse::parse;
    use crate::engine::call::Doing;
    use crate::outcome::Judgement;
    use crate::policy::breaker::State;
    use crate::policy::connection::ConnectionState;
    use crate::query::{Kind, Layers};

    const START: Instant = Instant(1_795_000_000_000);

    fn engine(settings: &str) -> Engine {
        Engine::new(parse(settings).unwrap(), 7, START)
    }

    fn read() -> Query {
        Query::new(Class::Query, Kind::Read)
    }

    fn refusals(engine: &mut Engine, calls: usize, now: Instant) -> Vec<Code> {
        let steps = (0..calls).map(|_| engine.begin(read(), now));
        steps.filter_map(|step| if let Step::Refuse { code, .. } = step { Some(code) } else { None }).collect()
    }

    /// TIER-06: five operations of the free tier run, fifteen wait, and the 21st is refused
    #[test]
    fn the_twenty_first_concurrent_operation_of_the_free_tier_is_refused() {
        let mut engine = engine(r#"{"tier": "FREE"}"#);
        let steps: Vec<Step> = (0..20).map(|_| engine.begin(read(), START)).collect();
        let running = steps.iter().filter(|step| matches!(step, Step::Attempt { .. })).count();
        let waiting = steps.iter().filter(|step| matches!(step, Step::Wait { .. })).count();
        assert_eq!((running, waiting), (5, 15));
        assert_eq!(refusals(&mut engine, 2, START), [Code::PoolQueueFull; 2]);
        assert!(
            matches!(engine.begin(Query { is_held: true, ..read() }, START), Step::Attempt { .. }),
            "a transaction that is there already goes on"
        );
        let Step::Attempt { call, .. } = steps[0] else { panic!("the first one runs") };
        engine.succeed(call, START);
        assert_eq!(refusals(&mut engine, 2, START), [Code::PoolQueueFull], "one has ended, so one more may come");
    }

    /// TIER-10: an operation beyond the rate is refused with a time, and counts for nothing
    #[test]
    fn an_operation_beyond_the_rate_is_refused_and_the_circuit_never_hears_of_it() {
        let mut engine = engine(r#"{"rateLimit": {"rate": 1, "burst": 2}}"#);
        assert_eq!(refusals(&mut engine, 50, START), [Code::RateLimited; 48]);
        let step = engine.begin(read(), START.plus(1));
        assert_eq!(step, Step::Refuse { code: Code::RateLimited, retry_at: START.plus(1_000), attempts: 0 });
        assert_eq!(engine.breaker_failures(START.plus(1)), 0);
        assert_eq!(engine.breaker().state(START.plus(1)), State::Closed);
        assert_eq!(refusals(&mut engine, 2, START.plus(1_000)), [Code::RateLimited]);
    }

    #[test]
    fn a_tenant_that_was_put_aside_is_still_open_and_its_bucket_still_empty() {
        let settings = r#"{"rateLimit": {"rate": 1, "burst": 1}}"#;
        let mut next = engine(settings);
        next.resume(START.plus(1_000), Some(START.plus(30_000)), START);
        assert_eq!(next.breaker().state(START), State::Open);
        assert!(matches!(next.begin(read(), START), Step::Refuse { code: Code::RateLimited, .. }));
        let later = START.plus(29_999);
        assert!(matches!(next.begin(read(), later), Step::Refuse { code: Code::CircuitOpen, .. }));
        assert!(matches!(next.begin(read(), START.plus(31_000)), Step::Attempt { .. }), "then it probes");
    }

    /// Layers that flags have turned off for one caller are there for the others.
    #[test]
    fn an_operation_goes_without_the_layers_that_are_off_for_it() {
        let mut engine =
            engine(r#"{"connectionPool": {"maxConnections": 1}, "circuitBreaker": {"consecutiveFailures": 1}}"#);
        let without = |pool, counting| Query { layers: Layers::without(pool, false, counting), ..read() };
        assert!(matches!(engine.begin(read(), START), Step::Attempt { .. }));
        assert!(matches!(engine.begin(read(), START), Step::Wait { .. }), "the one lease is out");
        let Step::Attempt { call, .. } = engine.begin(without(true, true), START) else { panic!("it needs none") };
        engine.succeed(call, START);
        assert_eq!(engine.notes().tally().successful(), 0, "nor is it counted");
        let Step::Attempt { call, .. } = engine.begin(without(true, false), START) else { panic!("it needs none") };
        engine.report(call, Judgement::TIMEOUT, START);
        assert_eq!(engine.breaker().state(START), State::Open, "what uses the breaker tells it");
        assert!(matches!(engine.begin(without(true, false), START), Step::Refuse { code: Code::CircuitOpen, .. }));
        let around = Query { uses_breaker: false, ..without(true, false) };
        assert!(matches!(engine.begin(around, START), Step::Attempt { .. }));
    }

    /// FLG-02: with the state machine on for an operation a change that the table does not know is refused, and with it off it is
    /// only recorded: whatever holds for the others, when a connection comes back and when one is taken from whoever lost it.
    #[test]
    fn an_illegal_change_of_a_connection_is_refused_where_the_layer_is_on_and_tolerated_where_it_is_off() {
        let query = |is_on: bool| Query { layers: Layers::without(false, !is_on, false), ..read() };
        let states = |engine: &Engine| engine.pool.connections().map(|it| it.state()).collect::<Vec<_>>();
        let begin = |engine: &mut Engine, is_on: bool, now: Instant| {
            let Step::Attempt { call, .. } = engine.begin(query(is_on), now) else { panic!("it runs") };
            let Some(Doing::Attempting { lease: Some(lease), .. }) = engine.calls.get(call).map(|call| call.doing)
            else {
                panic!("it has a lease")
            };
            (call, lease)
        };
        for (is_on, expected) in [(true, ConnectionState::Recycling), (false, ConnectionState::Ready)] {
            let mut engine = engine(r#"{"connectionPool": {"maxConnections": 2}}"#);
            let (call, lease) = begin(&mut engine, is_on, START);
            let (other, _) = begin(&mut engine, !is_on, START);
            engine.pool.upset(lease, ConnectionState::Recycling, START);
            engine.succeed(call, START);
            assert_eq!(states(&engine), [expected, ConnectionState::Leased], "on: {is_on}");
            engine.succeed(other, START);
            assert_eq!(engine.notes().tally().transitions_refused, 1);
        }
        // One that has failed makes room for the next.
        let (kept, next) = (ConnectionState::Recycling, ConnectionState::Leased);
        for (is_on, expected) in [(true, vec![kept, next]), (false, vec![next])] {
            let mut engine = engine(r#"{"connectionPool": {"maxConnections": 1}}"#);
            let (_, lost) = begin(&mut engine, !is_on, START);
            engine.pool.upset(lost, ConnectionState::Recycling, START);
            let later = START.plus(engine.pool.config().lease_ttl_ms);
            begin(&mut engine, is_on, later);
            assert_eq!(states(&engine), expected, "on: {is_on}");
            assert_eq!(engine.notes().tally().transitions_refused, 1);
        }
    }

    #[test]
    fn what_an_attempt_waited_for_outside_of_the_database_does_not_make_it_slow() {
        let mut engine = engine(r#"{"circuitBreaker": {"timeoutThreshold": 100, "consecutiveFailures": 1}}"#);
        let Step::Attempt { call, .. } = engine.begin(read(), START) else { panic!("it runs") };
        engine.restart(call, START.plus(5_000));
        engine.report(call, Judgement::SUCCESS, START.plus(5_050));
        assert_eq!(engine.notes().tally().slow, 0);
        let Step::Attempt { call, .. } = engine.begin(read(), START.plus(5_050)) else { panic!("it runs") };
        engine.succeed(call, START.plus(10_000));
        assert_eq!(engine.notes().tally().slow, 1);
    }
}
