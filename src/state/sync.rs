//! When to read and when to write the shared snapshot.
//!
//! Nothing while healthy: no reads, no writes. A read is wanted once at a cold start, after a failure (suspicion),
//! shortly before the first probe, and while the circuit is not closed. Isolates read the less often the more of them
//! there are, 50 ms apart for each and at most `read_interval_ms`: up to 200 of them ask twenty times a second together. A
//! write is wanted when something happened here that the store does not know, never sooner than `write_interval_ms` after
//! the last, and the host waits first and reads before it writes. A write of an outage that failed or was refused is tried
//! again 10 s later, if others did not tell of it meanwhile.
//!
//! How long an isolate waits follows from its random id: `longest · (1 + ln(place) / ln(3 000))`, with its `place`
//! from 0 to 1 among all ids (exponentially distributed timers as in feedback suppression: Nonnenmacher and Biersack,
//! 1999). Of any number of isolates with the same news a few wait for much less than the others, which then find it
//! stored; and those few have the smallest ids, which is what the [`Sketch`](super::sketch::Sketch) needs.
//!
//! A store near by is read every second while there is trouble, and written whenever there is news.

use crate::clock::{Instant, Millis};

/// How often the store may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncConfig {
    /// Between two reads of one isolate of many, in milliseconds.
    pub read_interval_ms: Millis,
    /// Between two writes of one isolate, in milliseconds. Workers KV refuses more than one a second per key.
    pub write_interval_ms: Millis,
    /// A write waits up to this, in milliseconds, so that a fleet does not write at once.
    pub write_jitter_ms: Millis,
    /// Whether there is a store near by.
    pub has_near: bool,
}

/// Between two reads of the store near by, in milliseconds.
const NEAR_INTERVAL_MS: Millis = 1_000;

/// Between two reads of one isolate of few, in milliseconds,
const READ_INTERVAL_MIN_MS: Millis = 500;
/// behind a store near by,
const READ_INTERVAL_BEHIND_MS: Millis = 30_000;
/// and what each further isolate adds to it.
const READ_INTERVAL_PER_ISOLATE_MS: f64 = 50.0;

/// A write of an outage that failed is tried again this much later, in milliseconds.
const RETRY_MS: Millis = 10_000;

/// Few isolates find a recovery, and all wait for it: they need so many times less of a delay,
const RECOVERY_FACTOR: f64 = 10.0;
/// and fleets of up to so many isolates, in which at most a few probe at a time, even less, in proportion.
const RECOVERY_FLEET: f64 = 1_000.0;

/// Isolates for which the delays are made: of more, several wait for nothing.
const ISOLATES_MAX: f64 = 3_000.0;

/// What a write would tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Nothing.
    None,
    /// An outage, which many isolates find at once.
    Outage,
    /// A recovery, which few find, and for which all wait.
    Recovery,
}

/// Keeps the schedule.
#[derive(Clone, Debug)]
pub struct Sync {
    config: SyncConfig,
    read_due: Option<Instant>,
    near_due: Instant,
    wrote_at: Option<Instant>,
    is_suspicious: bool,
    is_suspicious_near: bool,
}

impl Sync {
    /// Nothing read, nothing written.
    #[must_use]
    pub const fn new(config: SyncConfig) -> Self {
        Self {
            config,
            read_due: None,
            near_due: Instant(0),
            wrote_at: None,
            is_suspicious: false,
            is_suspicious_near: false,
        }
    }

    /// An attempt failed: others may know more.
    pub const fn suspect(&mut self) {
        self.is_suspicious = true;
        self.is_suspicious_near = self.config.has_near;
    }

    /// Whether an attempt failed since the last read.
    #[must_use]
    pub const fn is_suspicious(&self) -> bool {
        self.is_suspicious || self.is_suspicious_near
    }

    /// The circuit opened here, until `until`: before it probes, others may have told of the outage.
    pub fn opened(&mut self, until: Instant, now: Instant) {
        let before = now.plus(until.since(now) / 4 * 3);
        self.read_due = self.read_due.map(|due| due.min(before));
    }

    /// Whether a read is wanted now by one of so many isolates. Saying yes starts the interval, so that one request
    /// asks for all.
    pub fn claim_read(&mut self, is_circuit_closed: bool, isolates: f64, now: Instant) -> bool {
        // A clock that stepped back must not put the next read off for ever.
        let is_due = self.read_due.is_none_or(|due| now >= due || due.since(now) > READ_INTERVAL_BEHIND_MS);
        let is_wanted = (self.is_suspicious || !is_circuit_closed) && is_due;
        if is_wanted {
            let interval_ms = ((READ_INTERVAL_PER_ISOLATE_MS * isolates) as Millis).max(READ_INTERVAL_MIN_MS);
            let interval_ms = interval_ms.min(self.config.read_interval_ms);
            self.read_due = Some(now.plus(if self.config.has_near { READ_INTERVAL_BEHIND_MS } else { interval_ms }));
            self.is_suspicious = false;
        }
        is_wanted
    }

    /// Claims the one read of a cold start; false if anything was read before.
    pub fn claim_cold_read(&mut self, now: Instant) -> bool {
        let is_cold = self.read_due.is_none();
        if is_cold {
            self.read_due = Some(now.plus(self.config.read_interval_ms));
        }
        is_cold
    }

    /// Whether a read of the store near by is wanted now; saying yes starts the interval.
    pub fn claim_near_read(&mut self, is_circuit_closed: bool, now: Instant) -> bool {
        let is_wanted = self.config.has_near
            && (self.is_suspicious_near || !is_circuit_closed)
            // A clock that stepped back must not put the next read off for ever.
            && (now >= self.near_due || self.near_due.since(now) > NEAR_INTERVAL_MS);
        if is_wanted {
            self.near_due = now.plus(NEAR_INTERVAL_MS);
            self.is_suspicious_near = false;
        }
        is_wanted
    }

    /// Whether a write is wanted now, and after how many milliseconds, for an isolate with this `place` (0 to 1) among
    /// so many; 0 if their number is not known. Saying yes starts the interval.
    pub fn claim_write(&mut self, news: News, place: f64, isolates: f64, now: Instant) -> Option<Millis> {
        let is_due = self.wrote_at.is_none_or(|at| now.since(at) >= self.config.write_interval_ms);
        if news == News::None || !is_due {
            return None;
        }
        let longest_ms = self.config.write_jitter_ms as f64;
        let longest_ms = match news {
            News::Recovery => longest_ms / RECOVERY_FACTOR * (isolates / RECOVERY_FLEET).min(1.0),
            News::Outage | News::None => longest_ms,
        };
        let delay_ms = (longest_ms * (1.0 + place.ln() / ISOLATES_MAX.ln()).max(0.0)) as Millis;
        self.wrote_at = Some(now.plus(delay_ms));
        Some(delay_ms)
    }

    /// A write of an outage failed or was refused: others probably told of it, and if not, there is time.
    pub fn write_failed(&mut self, news: News, now: Instant) {
        if news == News::Outage {
            self.wrote_at = Some(now.plus(RETRY_MS));
        }
    }

    /// Takes other settings.
    pub const fn reconfigure(&mut self, config: SyncConfig) {
        self.config = config;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: SyncConfig =
        SyncConfig { read_interval_ms: 30_000, write_interval_ms: 1_000, write_jitter_ms: 2_000, has_near: false };

    #[test]
    fn a_healthy_isolate_reads_once_when_cold_and_never_again() {
        let mut sync = Sync::new(CONFIG);
        assert!(sync.claim_cold_read(Instant(0)));
        assert!(!sync.claim_cold_read(Instant(1)));
        assert!(!sync.claim_read(true, 1.0, Instant(1_000_000)));
        assert!(!sync.claim_near_read(true, Instant(1_000_000)));
        assert_eq!(sync.claim_write(News::None, 0.5, 0.0, Instant(1_000_000)), None);
    }

    #[test]
    fn a_storm_of_failures_asks_at_most_once_per_interval() {
        let mut sync = Sync::new(SyncConfig { has_near: true, ..CONFIG });
        let mut reads = (0, 0);
        for now in 0..100_000 {
            sync.suspect();
            reads.0 += u32::from(sync.claim_read(false, 1e6, Instant(now)));
            reads.1 += u32::from(sync.claim_near_read(false, Instant(now)));
        }
        assert_eq!(reads, (4, 100));
    }

    #[test]
    fn what_others_told_is_looked_for_before_the_first_probe() {
        let mut sync = Sync::new(CONFIG);
        sync.claim_cold_read(Instant(0));
        sync.opened(Instant(3_000), Instant(1_000));
        assert!(!sync.claim_read(false, 1e6, Instant(2_499)));
        assert!(sync.claim_read(false, 1e6, Instant(2_500)));
        assert!(!sync.claim_read(false, 1e6, Instant(32_499)));
    }

    #[test]
    fn the_more_isolates_there_are_the_less_often_each_reads() {
        let reads = |isolates| {
            let mut sync = Sync::new(CONFIG);
            (0..120_000).filter(|now| sync.claim_read(false, isolates, Instant(*now))).count()
        };
        assert_eq!([0.0, 20.0, 200.0, 1e9].map(reads), [240, 120, 12, 4]);
    }

    #[test]
    fn news_is_written_after_a_delay_and_not_again_within_the_interval() {
        let mut sync = Sync::new(CONFIG);
        assert_eq!(sync.claim_write(News::Outage, 0.01, 0.0, Instant(0)), Some(849));
        assert_eq!(sync.claim_write(News::Outage, 0.01, 0.0, Instant(1_848)), None);
        assert_eq!(sync.claim_write(News::Recovery, 0.01, 1_000.0, Instant(2_000)), Some(84));
        assert_eq!(sync.claim_write(News::Recovery, 0.01, 100.0, Instant(4_000)), Some(8));
    }

    #[test]
    fn of_any_number_of_isolates_few_write_before_the_first_is_heard() {
        const HEARD_MS: Millis = 200;
        for isolates in [10_u32, 100, 1_000, 3_000] {
            let delays = (0..isolates).map(|isolate| {
                let place = (f64::from(isolate) + 0.5) / f64::from(isolates);
                Sync::new(SyncConfig { write_jitter_ms: 7_500, ..CONFIG })
                    .claim_write(News::Outage, place, 0.0, Instant(0))
                    .unwrap_or(0)
            });
            let mut delays: Vec<Millis> = delays.collect();
            delays.sort_unstable();
            let writers = delays.iter().filter(|delay| **delay <= delays[0] + HEARD_MS).count();
            assert!(writers <= 2, "{isolates}: {writers}");
        }
    }

    #[test]
    fn the_ends_of_the_range_of_places_are_delays() {
        let mut sync = Sync::new(CONFIG);
        assert_eq!(sync.claim_write(News::Outage, 0.0, 0.0, Instant(0)), Some(0));
        assert_eq!(sync.claim_write(News::Outage, 1.0, 0.0, Instant(10_000)), Some(2_000));
    }
}
