//! A call that gets no lease at once: whether it may wait, and until when.

use super::queue::Waiter;
use super::{Cx, LeaseAnswer, LeasePool, Note, Order, Priority, Ticket};
use crate::clock::{Instant, Millis};
use crate::note::times::Row;

/// A waiter may be this much later than it was told, in milliseconds.
const LATENESS_MAX_MS: Millis = 250;

/// No waiter of a polling host asks less often than this, in milliseconds.
const POLL_MAX_MS: Millis = 50;

impl LeasePool {
    /// Whether the asker's turn has come, while others wait as well. It then leaves the queue.
    #[cold]
    pub(super) fn is_next(&mut self, priority: Priority, ticket: Option<Ticket>, cx: &mut Cx<'_>) -> bool {
        let now = cx.now;
        self.turn(now);
        let free = self.sizing.limit - self.in_use;
        let is_next = self.queue.ahead_of(ticket, priority, free, now) < free;
        if is_next {
            if let Some(waiter) = ticket.and_then(|ticket| self.queue.get(ticket)) {
                cx.notes.took(Row::Waited, now.since(waiter.since));
            }
            self.queue.serve(ticket);
            self.turn(now);
        }
        is_next
    }

    /// Looks who is to be served first from now on.
    #[cold]
    pub(super) fn turn(&mut self, now: Instant) {
        let order = if self.config.leases_max == 1 { Order::Fifo } else { self.config.order };
        self.queue.turn_to(order, self.overload_after_ms(), now);
    }

    fn overload_after_ms(&self) -> Millis {
        self.config.overload_after_ms.max((self.hold_ms * 2.0) as Millis)
    }

    /// All leases are out: some may have lapsed, or one more may be due.
    #[cold]
    pub(super) fn make_room(&mut self, cx: &mut Cx<'_>) {
        self.take_back_lapsed(cx);
        if self.in_use >= self.sizing.limit {
            let waited_ms = self.queue.oldest().map_or(0, |since| cx.now.since(since));
            self.sizing.grow(&self.config, waited_ms);
        }
    }

    #[cold]
    pub(super) fn wait(
        &mut self,
        call: u32,
        priority: Priority,
        ticket: Option<Ticket>,
        acquire_by: Instant,
        cx: &mut Cx<'_>,
    ) -> LeaseAnswer {
        let known = ticket.and_then(|ticket| self.queue.get(ticket)).copied();
        if cx.now >= known.map_or(acquire_by, |waiter| waiter.gives_up_at.min(acquire_by)) {
            self.leave_queue(ticket);
            return LeaseAnswer::TimedOut;
        }
        let mut waiter = match known {
            Some(waiter) => waiter,
            None => {
                if self.queue.len() >= self.config.queue_max as usize {
                    self.queue.drop_silent(None, cx.now);
                }
                if self.queue.len() >= self.config.queue_max as usize {
                    return LeaseAnswer::QueueFull;
                }
                if ticket.is_none() {
                    cx.notes.push(Note::Queued, cx.now);
                }
                let is_short =
                    self.config.overload_timeout_ms > 0 && self.queue.stands(self.overload_after_ms(), cx.now);
                let gives_up_at = if is_short { cx.now.plus(self.config.overload_timeout_ms) } else { acquire_by };
                self.queue.newcomer(call, priority, ticket, gives_up_at.min(acquire_by), cx.now)
            }
        };
        let until = self.ask_again_at(&waiter, cx.now);
        waiter.asks_by = until.plus(LATENESS_MAX_MS);
        self.queue.put(waiter);
        LeaseAnswer::Wait { until, ticket: waiter.ticket }
    }

    /// A told waiter needs only the next expiry, for a lease that lapses tells nobody, and to ask for one more connection
    /// when it has waited for long. A polling one asks when its turn may have come, by its place and the recent
    /// holding time.
    fn ask_again_at(&self, waiter: &Waiter, now: Instant) -> Instant {
        let sooner = if self.config.is_polling {
            let turns = (self.queue.place_of(waiter.ticket) + 1) as f64 / f64::from(self.sizing.limit);
            let wait_ms = (turns * self.hold_ms * 0.5) as Millis;
            now.plus(wait_ms.clamp(1, POLL_MAX_MS))
        } else {
            let first_expiry = self.slots.iter().filter_map(|slot| slot.held).map(|held| held.expires_at).min();
            let mut until = first_expiry.unwrap_or(waiter.gives_up_at);
            if self.sizing.limit < self.config.leases_max {
                until = until.min(waiter.since.plus(self.config.strategy.grows_after_ms()));
            }
            until.max(now.plus(1))
        };
        sooner.min(waiter.gives_up_at)
    }
}
