//! Who waits for a lease, and who is next.
//!
//! Each priority has a line of its own. Who is next is found by comparing the heads of the four lines, where each level
//! below critical counts as if it had come [`AGEING_MS`] later:
//!
//! ```text
//! place in time = time of coming + AGEING_MS · levels below critical          the smallest is next
//! ```
//!
//! So a low waiter is overtaken by those of higher priority that come within 1.5 s of it, and by nobody who comes later:
//! it waits at most as long as if it had come 1.5 s later to a queue without priorities.
//!
//! When the oldest has waited for longer than `overload_after_ms`, more comes than goes, and serving the oldest first
//! would make every answer late. [`Order::Adaptive`] then serves the newest burst first, in order within the burst,
//! because those who came in the same millisecond came together and may count on their order. So that no priority
//! starves meanwhile, one turn in [`ROTATES_EVERY`] goes to each priority in rotation, if somebody of it waits. Who is
//! old is not served before the queue is short again, and gives up at its own limit. decisions/0021 has the measurement.

use std::collections::VecDeque;

use crate::clock::{Instant, Millis};
use crate::query::Priority;

/// What one level of priority is worth, in milliseconds of waiting.
pub const AGEING_MS: Millis = 500;

/// While the newest are served first, one turn in so many goes to a priority in rotation.
pub const ROTATES_EVERY: u32 = 8;

const LINES: usize = 4;

/// Who is served first, among equally urgent ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Who came first; the newest burst while the oldest has waited for too long.
    Adaptive,
    /// Who came first.
    Fifo,
    /// Who came last.
    Lifo,
}

/// A place in the queue: the order of coming, and in the lowest two bits the priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

impl Ticket {
    const fn line(self) -> usize {
        (self.0 & 3) as usize
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Waiter {
    pub(super) ticket: Ticket,
    pub(super) call: u32,
    pub(super) since: Instant,
    pub(super) asks_by: Instant,
    pub(super) gives_up_at: Instant,
}

/// Time of coming and levels below critical, as one number to compare; and the order of coming where that is the same.
type Rank = (u64, u64);

/// The queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    /// One line for each priority, in the order of coming.
    lines: [VecDeque<Waiter>; LINES],
    len: usize,
    next_serial: u64,
    /// Nobody comes earlier than the one before, whatever the clock says.
    latest: Instant,
    /// When it was empty for the last time.
    empty_until: Instant,
    /// Turns given.
    turns: u32,
    is_newest_first: bool,
    /// The line whose turn it is in the rotation; [`LINES`] for none.
    favoured: usize,
}

impl Queue {
    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Since when the one waits who has waited for longest.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.lines.iter().filter_map(|line| line.front()).map(|waiter| waiter.since).min()
    }

    pub(super) fn get(&self, ticket: Ticket) -> Option<&Waiter> {
        let line = &self.lines[ticket.line()];
        line.get(place_in(line, ticket).ok()?)
    }

    /// Whether it has not been empty for so long.
    pub(super) fn stands(&self, after_ms: Millis, now: Instant) -> bool {
        !self.is_empty() && now.since(self.empty_until) > after_ms
    }

    /// Looks who goes first from now on.
    pub(super) fn turn_to(&mut self, order: Order, overload_after_ms: Millis, now: Instant) {
        self.is_newest_first = match order {
            Order::Fifo => false,
            Order::Lifo => true,
            Order::Adaptive => self.oldest().is_some_and(|since| now.since(since) > overload_after_ms),
        };
        let is_rotation = self.turns.is_multiple_of(ROTATES_EVERY);
        self.favoured = if is_rotation { (self.turns / ROTATES_EVERY) as usize % LINES } else { LINES };
    }

    /// A newcomer, or one that was dropped and comes back with its ticket. `asks_by` is yet to be said.
    pub(super) fn newcomer(
        &mut self,
        call: u32,
        priority: Priority,
        ticket: Option<Ticket>,
        gives_up_at: Instant,
        now: Instant,
    ) -> Waiter {
        if self.is_empty() {
            self.empty_until = now;
        }
        self.latest = self.latest.max(now);
        let first = ticket.and_then(|ticket| self.lines[ticket.line()].front().filter(|first| ticket < first.ticket));
        if let (Some(ticket), Some(first)) = (ticket, first) {
            return Waiter { ticket, call, since: first.since, asks_by: now, gives_up_at };
        }
        self.next_serial += 1;
        let ticket = Ticket(self.next_serial << 2 | priority as u64);
        Waiter { ticket, call, since: self.latest, asks_by: now, gives_up_at }
    }

    /// How many of its own priority are served before this one.
    pub(super) fn place_of(&self, ticket: Ticket) -> usize {
        let own = &self.lines[ticket.line()];
        let (Ok(place) | Err(place)) = place_in(own, ticket);
        if self.is_newest_first { own.len() - place } else { place }
    }

    /// Takes a newcomer in, or one that comes back to the front; of others it is noted that they were heard of.
    pub(super) fn put(&mut self, waiter: Waiter) {
        let line = &mut self.lines[waiter.ticket.line()];
        match place_in(line, waiter.ticket) {
            Ok(index) => {
                line[index] = waiter;
                return;
            }
            Err(0) => line.push_front(waiter),
            Err(_) => line.push_back(waiter),
        }
        self.len += 1;
    }

    pub(super) fn remove(&mut self, ticket: Ticket) {
        let line = &mut self.lines[ticket.line()];
        if let Ok(index) = place_in(line, ticket) {
            line.remove(index);
            self.len -= 1;
        }
    }

    /// Takes one out whose turn it is.
    pub(super) fn serve(&mut self, ticket: Option<Ticket>) {
        self.turns = self.turns.wrapping_add(1);
        if let Some(ticket) = ticket {
            self.remove(ticket);
        }
    }

    /// Drops those who stopped asking, where they are first or last.
    pub(super) fn drop_silent(&mut self, except: Option<Ticket>, now: Instant) {
        self.len = self.lines.iter_mut().map(|line| drop_silent_of(line, except, now)).sum();
    }

    /// The call that is next.
    pub(super) fn next(&self) -> Option<u32> {
        let next = |index: usize| {
            let line = &self.lines[index];
            let first = if self.is_newest_first {
                let newest = line.back()?.since;
                line.get(line.partition_point(|waiter| waiter.since < newest))?
            } else {
                line.front()?
            };
            Some((self.rank(index, first.since, first.ticket), first.call))
        };
        (0..LINES).filter_map(next).min().map(|(_, call)| call)
    }

    /// How many come before `ticket`, or before a newcomer, counted up to `enough`; those who stopped asking do not
    /// count.
    #[cold]
    pub(super) fn ahead_of(&mut self, ticket: Option<Ticket>, priority: Priority, enough: u32, now: Instant) -> u32 {
        self.drop_silent(ticket, now);
        let known = ticket.and_then(|ticket| self.get(ticket));
        if known.is_some_and(|own| self.next() == Some(own.call)) {
            return 0;
        }
        let newest = Ticket(u64::MAX);
        let mine = match known {
            Some(own) => self.rank(own.ticket.line(), own.since, own.ticket),
            None => self.rank(priority as usize, self.latest.max(now), ticket.unwrap_or(newest)),
        };
        (0..LINES).fold(0, |ahead, line| self.ahead_in(line, mine, ahead, enough, now))
    }

    /// Adds those of one line who come before `mine`.
    #[inline(never)]
    fn ahead_in(&self, index: usize, mine: Rank, mut ahead: u32, enough: u32, now: Instant) -> u32 {
        let line = &self.lines[index];
        for at in 0..line.len() {
            let Some(waiter) = line.get(if self.is_newest_first { line.len() - 1 - at } else { at }) else { break };
            let rank = self.rank(index, waiter.since, waiter.ticket);
            if rank.0 > mine.0 || ahead >= enough {
                break;
            }
            ahead += u32::from(rank < mine && waiter.asks_by >= now);
        }
        ahead
    }

    /// Who is next has the smallest.
    fn rank(&self, line: usize, since: Instant, ticket: Ticket) -> Rank {
        const LEVELS: [u64; LINES] = [2, 1, 0, 3];
        let handicap = LEVELS[line & 3] * AGEING_MS;
        let time = match self.is_newest_first {
            false => since.0 + handicap,
            true if line == self.favoured => (u64::MAX - since.0) / 2,
            true => u64::MAX - since.0.saturating_sub(handicap),
        };
        (time, ticket.0 >> 2)
    }
}

/// How many are left.
#[inline(never)]
fn drop_silent_of(line: &mut VecDeque<Waiter>, except: Option<Ticket>, now: Instant) -> usize {
    let is_silent =
        |waiter: Option<&Waiter>| waiter.is_some_and(|waiter| waiter.asks_by < now && Some(waiter.ticket) != except);
    while is_silent(line.front()) {
        line.pop_front();
    }
    while is_silent(line.back()) {
        line.pop_back();
    }
    line.len()
}

#[inline(never)]
fn place_in(line: &VecDeque<Waiter>, ticket: Ticket) -> Result<usize, usize> {
    line.binary_search_by_key(&ticket, |waiter| waiter.ticket)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
