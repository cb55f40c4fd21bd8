//! The life of one connection, as a table of legal transitions.
//!
//! Over HTTP a connection is a slot of the pool with a history: the right to have one request, or one interactive
//! transaction, in flight. Whatever the transport, nothing moves from one state to another but by [`TRANSITIONS`];
//! anything else is refused with an [`IllegalTransition`] and changes nothing. `docs/connection-states.md` is
//! written from the same table.

use std::fmt;

use crate::clock::Instant;

/// Changes remembered per connection; the oldest make room.
pub const HISTORY_MAX: usize = 16;

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ConnectionState {
    /// Made, and not used yet.
    New,
    /// Being set up.
    Warming,
    /// Idle, and may be leased.
    Ready,
    /// In use by one call or transaction.
    Leased,
    /// Being asked whether it still works.
    Validating,
    /// Something went wrong on it.
    Failed,
    /// Being replaced by a fresh one in the same slot.
    Recycling,
    /// Leaving: finishes what it does, takes nothing new.
    Draining,
    /// Gone.
    Closed,
}

/// Every state, in the order of a life.
pub const STATES: [ConnectionState; 9] = [
    ConnectionState::New,
    ConnectionState::Warming,
    ConnectionState::Ready,
    ConnectionState::Leased,
    ConnectionState::Validating,
    ConnectionState::Failed,
    ConnectionState::Recycling,
    ConnectionState::Draining,
    ConnectionState::Closed,
];

impl ConnectionState {
    /// The name in status documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Warming => "warming",
            Self::Ready => "ready",
            Self::Leased => "leased",
            Self::Validating => "validating",
            Self::Failed => "failed",
            Self::Recycling => "recycling",
            Self::Draining => "draining",
            Self::Closed => "closed",
        }
    }

    /// Whether the table leads from here to `to`.
    #[must_use]
    pub const fn leads_to(self, to: Self) -> bool {
        SUCCESSORS[self as usize] & 1 << to as u16 != 0
    }
}

/// Why a connection changed its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is made for a call that needs one.
    Demand,
    /// It is ready.
    SetUp,
    /// A call took it.
    Taken,
    /// Its call gave it back.
    Returned,
    /// Its call ended with a failure of the way to the database.
    Broken,
    /// Its call did not give it back in time.
    Lapsed,
    /// It was idle for too long.
    Idle,
    /// It is old, or was used often enough.
    Worn,
    /// It is asked whether it still works.
    Checked,
    /// The pool closes.
    Shutdown,
    /// Somebody asked for it to be closed.
    Cleaned,
}

impl Reason {
    /// The name in histories.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Demand => "demand",
            Self::SetUp => "set_up",
            Self::Taken => "taken",
            Self::Returned => "returned",
            Self::Broken => "broken",
            Self::Lapsed => "lapsed",
            Self::Idle => "idle",
            Self::Worn => "worn",
            Self::Checked => "checked",
            Self::Shutdown => "shutdown",
            Self::Cleaned => "cleaned_up",
        }
    }
}

/// Every legal transition and what it is for.
pub const TRANSITIONS: [(ConnectionState, ConnectionState, &str); 22] = {
    use ConnectionState::{Closed, Draining, Failed, Leased, New, Ready, Recycling, Validating, Warming};
    [
        (New, Warming, "set-up begins"),
        (New, Closed, "the pool closed before it was used"),
        (Warming, Ready, "set-up ended well"),
        (Warming, Failed, "set-up failed"),
        (Warming, Closed, "the pool closed during set-up"),
        (Ready, Leased, "a call takes it"),
        (Ready, Validating, "it is checked before the next call"),
        (Ready, Recycling, "it is worn"),
        (Ready, Draining, "the pool closes"),
        (Ready, Closed, "it was idle for too long"),
        (Leased, Ready, "the call gives it back"),
        (Leased, Failed, "the call broke it, or never gave it back"),
        (Leased, Draining, "the pool closes while it is in use"),
        (Validating, Ready, "it works"),
        (Validating, Failed, "it does not work"),
        (Validating, Draining, "the pool closes during the check"),
        (Failed, Recycling, "a fresh one takes its place"),
        (Failed, Closed, "it is given up"),
        (Recycling, Warming, "set-up begins anew"),
        (Recycling, Closed, "the pool closed meanwhile"),
        (Draining, Failed, "its last call broke it"),
        (Draining, Closed, "its last call has ended"),
    ]
};

/// The table as one bit set per state.
const SUCCESSORS: [u16; STATES.len()] = {
    let mut successors = [0; STATES.len()];
    let mut index = 0;
    while index < TRANSITIONS.len() {
        successors[TRANSITIONS[index].0 as usize] |= 1 << TRANSITIONS[index].1 as u16;
        index += 1;
    }
    successors
};

/// A transition that the table does not know. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IllegalTransition {
    /// Which connection.
    pub connection: u32,
    /// Where it is.
    pub from: ConnectionState,
    /// Where it was to go.
    pub to: ConnectionState,
}

impl fmt::Display for IllegalTransition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connection, from, to } = self;
        write!(formatter, "connection {connection} is {} and cannot become {}", from.name(), to.name())
    }
}

impl std::error::Error for IllegalTransition {}

/// One remembered change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Before.
    pub from: ConnectionState,
    /// After.
    pub to: ConnectionState,
    /// When.
    pub at: Instant,
    /// Why.
    pub reason: Reason,
}

/// One connection: its state, its counts, and the last [`HISTORY_MAX`] changes.
#[derive(Clone, Debug)]
pub struct Connection {
    id: u32,
    state: ConnectionState,
    history: [Option<Passage>; HISTORY_MAX],
    passages: usize,
    created_at: Instant,
    last_used_at: Instant,
    uses: u64,
    errors: u64,
}

impl Connection {
    /// A new connection.
    #[must_use]
    pub const fn new(id: u32, now: Instant) -> Self {
        Self {
            id,
            state: ConnectionState::New,
            history: [None; HISTORY_MAX],
            passages: 0,
            created_at: now,
            last_used_at: now,
            uses: 0,
            errors: 0,
        }
    }

    /// Moves to another state.
    ///
    /// # Errors
    ///
    /// [`IllegalTransition`] when the table does not lead there; nothing is changed. Of two who want to move it
    /// out of the same state, the second therefore fails.
    #[inline]
    pub fn move_to(&mut self, to: ConnectionState, reason: Reason, now: Instant) -> Result<(), IllegalTransition> {
        let from = self.state;
        if !from.leads_to(to) {
            return Err(IllegalTransition { connection: self.id, from, to });
        }
        self.record(to, reason, now);
        Ok(())
    }

    /// Moves to another state whatever the table says: for pools that only record what happens.
    #[inline]
    pub(super) fn record(&mut self, to: ConnectionState, reason: Reason, now: Instant) {
        let from = self.state;
        self.state = to;
        self.history[self.passages % HISTORY_MAX] = Some(Passage { from, to, at: now, reason });
        self.passages = self.passages.wrapping_add(1);
        match reason {
            Reason::Taken => {
                self.uses += 1;
                self.last_used_at = now;
            }
            Reason::Returned => self.last_used_at = now,
            Reason::Broken | Reason::Lapsed => self.errors += 1,
            Reason::Demand
            | Reason::SetUp
            | Reason::Idle
            | Reason::Worn
            | Reason::Checked
            | Reason::Shutdown
            | Reason::Cleaned => {}
        }
    }

    /// Number of this connection; never used twice by one pool.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// Where it is.
    #[must_use]
    pub const fn state(&self) -> ConnectionState {
        self.state
    }

    /// When it was made.
    #[must_use]
    pub const fn created_at(&self) -> Instant {
        self.created_at
    }

    /// When it was last taken or given back.
    #[must_use]
    pub const fn last_used_at(&self) -> Instant {
        self.last_used_at
    }

    /// How often it was taken.
    #[must_use]
    pub const fn uses(&self) -> u64 {
        self.uses
    }

    /// How often it broke or lapsed.
    #[must_use]
    pub const fn errors(&self) -> u64 {
        self.errors
    }

    /// The last changes, oldest first.
    pub fn history(&self) -> impl Iterator<Item = Passage> + '_ {
        let start = self.passages.saturating_sub(HISTORY_MAX);
        (start..self.passages).filter_map(|index| self.history[index % HISTORY_MAX])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edge_of_the_table_is_taken_and_every_other_pair_is_refused() {
        let mut edges = 0;
        for from in STATES {
            for to in STATES {
                let mut connection = Connection::new(1, Instant(0));
                connection.state = from;
                let is_edge = TRANSITIONS.iter().any(|(a, b, _)| (*a, *b) == (from, to));
                let moved = connection.move_to(to, Reason::Checked, Instant(1));
                if is_edge {
                    edges += 1;
                    assert_eq!((moved, connection.state), (Ok(()), to));
                    assert_eq!(connection.history().count(), 1);
                } else {
                    assert_eq!(moved, Err(IllegalTransition { connection: 1, from, to }));
                    assert_eq!((connection.state, connection.history().count()), (from, 0));
                }
            }
        }
        assert_eq!(edges, TRANSITIONS.len());
    }

    #[test]
    fn a_failed_connection_can_always_become_ready_or_closed() {
        use ConnectionState::{Closed, Failed, Ready, Recycling, Warming};
        assert!(Failed.leads_to(Closed));
        for (from, to) in [(Failed, Recycling), (Recycling, Warming), (Warming, Ready)] {
            assert!(from.leads_to(to));
        }
        assert!(STATES.iter().all(|state| !Closed.leads_to(*state)), "closed is the end");
    }

    #[test]
    fn of_two_who_take_it_the_second_is_refused() {
        let mut connection = Connection::new(7, Instant(0));
        for state in [ConnectionState::Warming, ConnectionState::Ready] {
            assert_eq!(connection.move_to(state, Reason::SetUp, Instant(0)), Ok(()));
        }
        assert!(connection.move_to(ConnectionState::Leased, Reason::Taken, Instant(1)).is_ok());
        let refused = connection.move_to(ConnectionState::Leased, Reason::Taken, Instant(1));
        assert_eq!(
            refused.map_err(|error| error.to_string()),
            Err("connection 7 is leased and cannot become leased".into())
        );
    }

    #[test]
    fn the_history_keeps_the_last_sixteen_changes() {
        let mut connection = Connection::new(1, Instant(0));
        assert!(connection.move_to(ConnectionState::Warming, Reason::Demand, Instant(0)).is_ok());
        assert!(connection.move_to(ConnectionState::Ready, Reason::SetUp, Instant(0)).is_ok());
        for at in 1..=20 {
            assert!(connection.move_to(ConnectionState::Leased, Reason::Taken, Instant(at)).is_ok());
            assert!(connection.move_to(ConnectionState::Ready, Reason::Returned, Instant(at)).is_ok());
        }
        let times: Vec<u64> = connection.history().map(|passage| passage.at.0).collect();
        assert_eq!(times.len(), HISTORY_MAX);
        assert_eq!((times[0], times[15]), (13, 20));
    }
}
