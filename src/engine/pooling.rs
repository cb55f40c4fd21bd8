//! What a host does for the connections of the pool, beside the calls.

use super::Engine;
use super::call::{Call, Doing};
use super::step::{CallId, Ending, Step};
use crate::clock::Instant;
use crate::policy::Cx;
use crate::policy::lease::{Cleanup, Lease, PoolWork};

impl Engine {
    /// A call holds a lease whose connection is to be checked first.
    #[cold]
    pub(super) fn check(&mut self, id: CallId, mut call: Call, lease: Lease) -> Step {
        call.doing = Doing::Checking(lease);
        self.calls.put(id, call);
        Step::Check { call: id, timeout_ms: self.config.pool.lease_ttl_ms / 2 }
    }

    /// Takes in what the check of a call's connection found, and goes on with the call. One that did not work is
    /// replaced: the call never hears of it.
    pub fn checked(&mut self, id: CallId, is_well: bool, now: Instant) -> Step {
        let Some(call) = self.calls.get(id).copied() else {
            return Step::Done { ending: Ending::AsReported, attempts: 0 };
        };
        if let Doing::Checking(lease) = call.doing {
            self.pool.enforce(call.layers.is_enforced());
            self.pool.checked(lease, is_well, &mut Cx { now, rng: &mut self.rng, notes: &mut self.notes });
        }
        self.proceed_again(id, call, now)
    }

    /// The number of the connection that a call's attempt uses; 0 for none.
    #[must_use]
    pub fn connection_of(&self, id: CallId) -> u32 {
        let lease = match self.calls.get(id).map(|call| call.doing) {
            Some(Doing::Attempting { lease: Some(lease), .. } | Doing::Checking(lease)) => lease,
            _ => return 0,
        };
        self.pool.connection_of(lease).map_or(0, |connection| connection.id())
    }

    /// Whether [`Engine::next_pool_work`] may have an answer.
    #[must_use]
    pub const fn has_pool_work(&self) -> bool {
        self.pool.has_work()
    }

    /// What the host is to do next for connections that nobody uses.
    pub fn next_pool_work(&mut self, now: Instant) -> Option<PoolWork> {
        self.pool.enforce(true);
        self.pool.next_work(&mut Cx { now, rng: &mut self.rng, notes: &mut self.notes })
    }

    /// Takes in how the set-up of a connection ended.
    pub fn set_up(&mut self, connection: u32, is_well: bool, now: Instant) {
        self.pool.enforce(true);
        self.pool.set_up(connection, is_well, &mut Cx { now, rng: &mut self.rng, notes: &mut self.notes });
    }

    /// Closes connections by hand, and says how many.
    pub fn clean_up(&mut self, what: Cleanup, now: Instant) -> u32 {
        self.pool.enforce(true);
        self.pool.clean_up(what, &mut Cx { now, rng: &mut self.rng, notes: &mut self.notes })
    }
}
