//! What is asked of an engine beside calls: to close, to take other settings, to hold the circuit by hand, and to be
//! looked at.

use super::Engine;
use crate::clock::Instant;
use crate::config::Config;
use crate::note::Notes;
use crate::policy::breaker::{Breaker, Forced};
use crate::policy::deadline::Deadlines;
use crate::policy::lease::LeasePool;
use crate::policy::retry::RetryConfig;
use crate::state::schema::Health;

impl Engine {
    /// Refuses new calls and lets running ones end. Idempotent.
    pub fn close(&mut self, now: Instant) {
        self.is_closed = true;
        self.is_gated = true;
        self.pool.close(cx!(self, now));
    }

    /// Accepts calls again after [`Engine::close`].
    pub const fn reopen(&mut self) {
        self.is_closed = false;
        self.is_gated = self.is_gate_needed();
        self.pool.reopen();
    }

    /// Takes other settings; running calls keep the deadlines they have.
    pub fn reconfigure(&mut self, config: Config) {
        self.deadlines = Deadlines::new(config.deadlines);
        self.breaker.reconfigure(config.breaker);
        self.pool.reconfigure(config.pool);
        self.retries.reconfigure(config.retry);
        self.sync.reconfigure(config.sync);
        self.rate.reconfigure(config.rate);
        self.config = config;
        self.is_gated = self.is_gate_needed();
    }

    /// Learns of a retry policy for single operations; returns its number for [`Query::retry`], `None` beyond the bound.
    pub fn add_retry_policy(&mut self, policy: RetryConfig) -> Option<u8> {
        self.retries.add(policy)
    }

    /// Holds the circuit in a state by hand, or lets it go.
    pub fn force(&mut self, forced: Option<Forced>, now: Instant) {
        self.breaker.force(forced, cx!(self, now));
    }

    /// Closes the circuit and forgets its counts.
    pub fn reset_breaker(&mut self, now: Instant) {
        self.breaker.reset(cx!(self, now));
    }

    /// The settings in force.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The breaker, to look at.
    #[must_use]
    pub const fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// Failures in the breaker's window at `now`.
    pub fn breaker_failures(&mut self, now: Instant) -> u32 {
        self.breaker.failures(now)
    }

    /// The pool, to look at. Asking closes what has been idle for too long.
    pub fn pool(&mut self, now: Instant) -> &LeasePool {
        self.pool.sweep(cx!(self, now));
        &self.pool
    }

    /// Counters and rare events.
    #[must_use]
    pub const fn notes(&self) -> &Notes {
        &self.notes
    }

    /// The same, to take events from or to add what the host saw.
    pub const fn notes_mut(&mut self) -> &mut Notes {
        &mut self.notes
    }

    /// What this isolate saw in the recent past.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.to_health()
    }

    /// When the engine was made.
    #[must_use]
    pub const fn started_at(&self) -> Instant {
        self.started_at
    }
}
