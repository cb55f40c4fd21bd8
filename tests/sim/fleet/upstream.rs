//! The database: a capacity, a latency that grows with the load, and what goes wrong.

use seawall::outcome::{Judgement, judge};
use seawall::rng::{Rng, SplitMix};

use super::clock::{Ms, between, exponential};
use super::faults::{Faults, Trouble};

/// The load is measured over this time, in milliseconds.
const MEASURED_MS: Ms = 1_000;
const SLICE_MS: Ms = 100;
const SLICES: usize = (MEASURED_MS / SLICE_MS) as usize;

/// How an attempt will end if nobody takes it back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    /// After so long; [`Ms::MAX`] is never.
    pub(crate) after_ms: Ms,
    pub(crate) judgement: Judgement,
}

/// One database.
pub(crate) struct Upstream {
    /// Calls a second that it can serve.
    capacity: f64,
    slices: [u32; SLICES],
    slice: u64,
}

impl Upstream {
    pub(crate) const fn new(capacity: f64) -> Self {
        Self { capacity, slices: [0; SLICES], slice: 0 }
    }

    /// Takes an attempt in.
    pub(crate) fn attempt(&mut self, at: Ms, colo: u16, faults: &Faults, rng: &mut SplitMix) -> Answer {
        let mut slowness = 1.0;
        let mut errors = 0.0;
        for trouble in faults.at(at, colo) {
            match trouble {
                Trouble::Refused => {
                    return Answer { after_ms: between(2, 5, rng), judgement: judge(0, "CONNECT_FAILED", false) };
                }
                Trouble::Fails { after_ms } => return Answer { after_ms, judgement: judge(503, "", true) },
                Trouble::Silent => return Answer { after_ms: Ms::MAX, judgement: Judgement::TIMEOUT },
                Trouble::Slow { factor } => slowness *= factor,
                Trouble::Errors { share } => errors = share,
                _ => {}
            }
        }
        let load = self.load(at);
        let is_shed = load > 1.0 && rng.unit() > 1.0 / load;
        if is_shed || rng.unit() < errors {
            return Answer { after_ms: between(2, 8, rng), judgement: judge(503, "", true) };
        }
        // The mean time in a queue with one server, up to twenty times that of an idle one.
        let crowding = (1.0 / (1.0 - load.min(0.95))).min(20.0);
        let service_ms = 5 + exponential(15.0, rng);
        Answer { after_ms: (service_ms as f64 * crowding * slowness) as Ms, judgement: Judgement::SUCCESS }
    }

    /// The share of the capacity that was asked for in the last second, this call included.
    fn load(&mut self, at: Ms) -> f64 {
        let slice = at / SLICE_MS;
        while self.slice < slice {
            self.slice += 1;
            self.slices[(self.slice % SLICES as u64) as usize] = 0;
            if slice - self.slice > SLICES as u64 {
                self.slice = slice - SLICES as u64;
            }
        }
        self.slices[(slice % SLICES as u64) as usize] += 1;
        self.slices.iter().sum::<u32>() as f64 / self.capacity
    }
}
