//! When an isolate that knows of an outage may probe, so that a fleet probes like one careful client.
//!
//! The time after [`Cell::until`] is cut into **windows** that grow as the open time does. They follow from the cell
//! alone, so they are the same for everybody. The isolate that told of the outage probes in each of them. Of the others,
//! in case it is gone, an isolate holds a **ticket** in a window if
//! `place = hash(isolate, generation, window) < probes · 2^level / fleet`, and spends it the later in the window the
//! greater its place. Nobody talks to anybody, and the fleet sends `1 + probes` per window on average however many
//! isolates there are. Up to [`SMALL_FLEET`] isolates need no turns: each probes in each window.
//!
//! The estimate of the fleet may be wrong. One that is too high leaves windows without a probe, and nobody could
//! tell that from a database that is still down. So a probe that failed is told to others at times that everybody can
//! work out ([`retelling_due`]); when nothing was told by then, the **level** rises window by window until somebody
//! probes, tells, and so is the one that probes from then on.
//!
//! With 500 isolates and 1 probe per window, one of them probes each time and the others once in 500 windows.

use crate::clock::{Instant, Millis};
use crate::policy::backoff::Backoff;
use crate::rng::{Rng, mix};
use crate::state::schema::{Cell, HINT_LIFE_MS};

/// How isolates that share a store probe and come back together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FleetConfig {
    /// Isolates that share one key of the store, if somebody knows; 0 if not. A lower bound of the estimate.
    pub expected: u32,
    /// Probes per window that they send together on average, besides the one that told of the outage; at least 0.1.
    pub probes: f64,
    /// An isolate that learns of a recovery from others admits a growing share for this long, in milliseconds.
    pub ramp_ms: Millis,
    /// Whether there is a store near by that is cheap to write: then each failed probe is told there.
    pub has_near: bool,
}

/// Where the search for a ticket begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// With the window that is running, if the ticket's point in it is still to come.
    Running,
    /// The same, but not with the window in which the last probe began, at this time: it has had its probe.
    After(Instant),
}

/// A window that was looked at and not found is further away than any outage.
const WINDOWS_MAX: u32 = 10_000;
/// Isolates that need not take turns.
pub(super) const SMALL_FLEET: f64 = 4.0;
/// Each window in which nothing was told quadruples the share of ticket holders,
const RISE: u32 = 2;
/// up to 1,024 times: an estimate that is so wrong is mended.
const RISE_MAX: u32 = 10;
/// A hint that nobody renewed is worth nothing in the end: each isolate then probes this often, in milliseconds.
const ALONE_MS: Millis = HINT_LIFE_MS / 2;
/// A failed probe is told for the first time when the outage is this old, in milliseconds,
const FIRST_RETELLING_MS: Millis = 20_000;
/// then when the outage is this many times as old as at the last telling,
const RETELLING_FACTOR: Millis = 8;
/// but never later than this, in milliseconds: hints go stale.
const RETELLING_MAX_MS: Millis = 150_000;
/// A telling takes up to this long to be written and read, in milliseconds.
const TELLING_MS: Millis = 10_000;

/// When a failed probe should be told to others again.
#[must_use]
pub(super) fn retelling_due(cell: &Cell) -> Instant {
    if cell.round == 0 {
        return cell.opened_at.plus(FIRST_RETELLING_MS);
    }
    let told_ms = cell.until.since(cell.opened_at);
    cell.opened_at.plus(told_ms.saturating_mul(RETELLING_FACTOR).min(told_ms.saturating_add(RETELLING_MAX_MS)))
}

/// The windows of an outage: from a cell and the shape of the open time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Windows<'a> {
    cell: &'a Cell,
    open: Backoff,
    has_near: bool,
}

/// One window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Its number in the outage; the one that begins at [`Cell::until`] has the cell's `round`.
    pub(super) number: u32,
    /// Its first point in time.
    pub(super) start: Instant,
    /// Its length, at least 1 ms.
    pub(super) length_ms: Millis,
}

impl<'a> Windows<'a> {
    /// The windows after `cell.until`. With a store near by the first probe of a window that fails is the only one, so
    /// windows can be half as long.
    pub(super) const fn of(cell: &'a Cell, open: &Backoff, has_near: bool) -> Self {
        let max_ms = if has_near { open.max_ms / 2 } else { open.max_ms };
        Self { cell, open: Backoff { max_ms, ..*open }, has_near }
    }

    /// All of them, in order.
    fn iter(self) -> impl Iterator<Item = Window> {
        let first = u32::from(self.cell.round);
        let mut start = self.cell.until;
        (first..first + WINDOWS_MAX).map(move |number| {
            let chance = Hashed(hash(0, self.cell.generation, number));
            let length_ms = self.open.at_least_ms(number + 1, &mut { chance }).max(1);
            let window = Window { number, start, length_ms };
            start = start.plus(length_ms);
            window
        })
    }

    /// The first window that begins after `now`.
    pub(super) fn after(self, now: Instant) -> Window {
        let last = Window { number: WINDOWS_MAX, start: now.plus(self.open.max_ms), length_ms: self.open.max_ms };
        self.iter().find(|window| window.start > now).unwrap_or(last)
    }

    /// The next probe of `isolate`, when `share` of the fleet holds a ticket at level 0.
    ///
    /// There is always one, at most [`HINT_LIFE_MS`] away: whatever the hint and the estimate say.
    pub(super) fn next_ticket(self, isolate: u32, share: f64, search: Search, now: Instant) -> Instant {
        let cell = self.cell;
        let told_by = if self.has_near { self.after(cell.until).start } else { retelling_due(cell).plus(TELLING_MS) };
        let alone = self.alone(isolate, now);
        let mut untold = 0;
        for window in self.iter().take_while(|window| window.start <= alone) {
            untold += u32::from(window.start >= told_by);
            let reach = share * f64::from(1_u32 << (untold * RISE).min(RISE_MAX));
            let place = unit(hash(isolate, cell.generation, window.number));
            let is_teller = isolate == cell.writer;
            let part = match window.number {
                0 if is_teller => 0.0,
                // Not at once everywhere, and evenly spaced.
                _ if is_teller => unit(hash(isolate, cell.generation, u32::MAX)),
                _ => place / reach,
            };
            let at = window.start.plus((window.length_ms as f64 * part) as Millis);
            let is_to_come = match search {
                Search::Running => at >= now,
                Search::After(probe) => at > now && window.start > probe,
            };
            if (is_teller || place < reach) && is_to_come {
                return at.min(alone);
            }
        }
        alone
    }

    /// The next point at which `isolate` probes whatever others told.
    fn alone(self, isolate: u32, now: Instant) -> Instant {
        let part = (ALONE_MS as f64 * unit(hash(isolate, self.cell.generation, 0))) as Millis;
        let first = self.cell.until.plus(ALONE_MS).plus(part);
        if first > now { first } else { first.plus((now.since(first) / ALONE_MS + 1) * ALONE_MS) }
    }
}

fn hash(isolate: u32, generation: u32, number: u32) -> u64 {
    mix(mix(u64::from(isolate) << 32 | u64::from(generation)) ^ u64::from(number))
}

fn unit(bits: u64) -> f64 {
    Hashed(bits).unit()
}

/// A hash in the place of chance: the same for everybody.
struct Hashed(u64);

impl Rng for Hashed {
    fn bits(&mut self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::schema::Phase;

    const OPEN: Backoff = Backoff { initial_ms: 2_000, max_ms: 8_000, multiplier: 2.0, jitter: 0.0 };

    fn cell() -> Cell {
        Cell {
            generation: 100,
            phase: Phase::Open,
            round: 0,
            until: Instant(102_000),
            opened_at: Instant(100_000),
            writer: 1_000_000,
        }
    }

    fn holders(isolates: u32, share: f64, number: u32) -> usize {
        (0..isolates).filter(|isolate| unit(hash(*isolate, 100, number)) < share).count()
    }

    #[test]
    fn windows_follow_from_the_cell_alone() {
        let cell = cell();
        let at = |now| Windows::of(&cell, &OPEN, false).after(Instant(now)).start.0;
        assert_eq!(at(100_000), 102_000);
        assert_eq!(at(102_000), 106_000);
        assert_eq!(at(106_500), 114_000);
        assert_eq!(at(114_000), 122_000);
    }

    #[test]
    fn a_cell_told_again_cuts_time_at_the_same_points() {
        let jittered = Backoff { jitter: 0.2, ..OPEN };
        let first = cell();
        let window = Windows::of(&first, &jittered, false).after(Instant(120_000));
        let again = Cell { round: window.number as u8, until: window.start, ..first };
        for now in [121_000, 140_000, 300_000] {
            let now = Instant(now).max(window.start);
            assert_eq!(
                Windows::of(&again, &jittered, false).after(now),
                Windows::of(&first, &jittered, false).after(now)
            );
        }
    }

    #[test]
    fn a_fleet_of_any_size_sends_two_probes_per_window_on_average() {
        for isolates in [10, 500, 5_000] {
            let windows = 200;
            let sent: usize = (0..windows).map(|number| holders(isolates, 2.0 / f64::from(isolates), number)).sum();
            let mean = sent as f64 / f64::from(windows);
            assert!((1.7..2.3).contains(&mean), "{isolates}: {mean}");
        }
    }

    #[test]
    fn an_isolate_that_has_probed_waits_for_another_window() {
        let cell = cell();
        let windows = Windows::of(&cell, &OPEN, false);
        let first = windows.next_ticket(7, 0.9, Search::Running, Instant(100_000));
        let second = windows.next_ticket(7, 0.9, Search::After(first), first);
        assert!(second > first);
        assert!(windows.after(first).start <= second);
    }

    /// Its probes hang for longer than what is left of the window in which they begin.
    #[test]
    fn a_probe_that_ends_in_the_next_window_does_not_cost_that_window() {
        for writer in 0..20 {
            let cell = Cell { writer, ..cell() };
            let windows = Windows::of(&cell, &Backoff { max_ms: 2_000, ..OPEN }, false);
            let mut probe = windows.next_ticket(writer, 1e-6, Search::Running, Instant(102_001));
            for _ in 0..5 {
                let next = windows.next_ticket(writer, 1e-6, Search::After(probe), probe.plus(1_500));
                assert_eq!(next.since(probe), 2_000, "{writer}");
                probe = next;
            }
        }
    }

    /// An estimate twenty times too high: two isolates in 200 should probe, and there are ten.
    #[test]
    fn silence_raises_the_level_until_somebody_probes() {
        let share = 2.0 / 200.0;
        let first = |generation| {
            let cell = Cell { generation, ..cell() };
            let tickets = (0..10).map(|isolate| {
                Windows::of(&cell, &OPEN, false).next_ticket(isolate, share, Search::Running, cell.until)
            });
            tickets.map(|ticket| ticket.since(cell.until)).min().unwrap_or(Millis::MAX)
        };
        let mean_s = (0..100).map(first).sum::<Millis>() / 100_000;
        assert!((15..40).contains(&mean_s), "{mean_s} s, and often never if the level stayed");
    }

    #[test]
    fn the_one_that_told_of_the_outage_probes_in_each_window() {
        let cell = cell();
        let windows = Windows::of(&cell, &OPEN, false);
        let first = windows.next_ticket(cell.writer, 1e-6, Search::Running, Instant(100_000));
        assert_eq!(first, cell.until);
        for now in [102_000, 106_000, 114_000] {
            let next = windows.next_ticket(cell.writer, 1e-6, Search::After(Instant(now)), Instant(now));
            let window = windows.after(Instant(now));
            assert!(next >= window.start && next < window.start.plus(window.length_ms));
        }
    }

    #[test]
    fn however_wrong_the_estimate_everybody_probes_before_the_hint_is_stale() {
        let cell = cell();
        for isolate in 0..100 {
            let windows = Windows::of(&cell, &OPEN, false);
            let mut now = cell.until;
            for _ in 0..3 {
                let ticket = windows.next_ticket(isolate, 1e-7, Search::After(now), now);
                assert!(ticket > now && ticket.since(now) <= HINT_LIFE_MS, "{ticket:?}");
                now = ticket;
            }
        }
    }

    #[test]
    fn outages_are_told_of_again_ever_more_rarely_but_before_hints_go_stale() {
        let due = |until| retelling_due(&Cell { until: Instant(until), ..cell() }).0 - 100_000;
        assert_eq!(due(102_000), 20_000);
        assert_eq!(due(130_000), 20_000, "the first failed probe, however late it comes");
        let later = |until| retelling_due(&Cell { until: Instant(until), round: 2, ..cell() }).0 - 100_000;
        assert_eq!(later(104_000), 32_000);
        assert_eq!(later(130_000), 180_000);
    }
}
