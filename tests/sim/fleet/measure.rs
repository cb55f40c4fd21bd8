//! What is counted while a fleet runs.

use seawall::error::Code;

use super::clock::Ms;
use super::plan::Plan;

/// One second of the fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Second {
    /// Attempts sent to a dead database.
    pub(crate) wasted: u32,
    /// Calls that were refused.
    pub(crate) refused: u32,
    /// Attempts that the database served.
    pub(crate) served: u32,
    /// Attempts that ended in any other way.
    pub(crate) failed: u32,
}

/// Counts of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Measure {
    outage: (Ms, Ms),
    end: Ms,
    pub(crate) seconds: Vec<Second>,
    /// Per slot: when the first call was refused after the outage began; [`NEVER`] if none was.
    first_refusal: Vec<u32>,
    /// Per slot: when the last call was refused after the database was back; 0 if none was.
    last_refusal: Vec<u32>,
    /// Refusals before the outage.
    pub(crate) early_refusals: u64,
    /// Refusals per colo, in the whole run.
    pub(crate) refused_in: Vec<u64>,
    /// Calls that ended otherwise, per colo.
    pub(crate) ended_in: Vec<u64>,
}

const NEVER: u32 = u32::MAX;

/// The first seconds of an outage, in which every isolate learns of it.
const LEARNING_S: usize = 10;

impl Measure {
    pub(crate) fn new(plan: &Plan, colos: usize) -> Self {
        Self {
            outage: plan.outage,
            end: plan.end,
            seconds: vec![Second::default(); (plan.end / 1_000 + 1) as usize],
            first_refusal: vec![NEVER; plan.isolates as usize],
            last_refusal: vec![0; plan.isolates as usize],
            early_refusals: 0,
            refused_in: vec![0; colos],
            ended_in: vec![0; colos],
        }
    }

    fn second(&mut self, at: Ms) -> &mut Second {
        let index = ((at / 1_000) as usize).min(self.seconds.len() - 1);
        &mut self.seconds[index]
    }

    pub(crate) fn sent(&mut self, at: Ms, is_dead: bool) {
        self.second(at).wasted += u32::from(is_dead);
    }

    pub(crate) fn reported(&mut self, at: Ms, is_success: bool) {
        let second = self.second(at);
        if is_success { second.served += 1 } else { second.failed += 1 }
    }

    pub(crate) fn refused(&mut self, slot: u32, colo: u16, at: Ms, _code: Code) {
        self.second(at).refused += 1;
        self.refused_in[usize::from(colo)] += 1;
        let (from, to) = self.outage;
        if at < from {
            self.early_refusals += 1;
            return;
        }
        let first = &mut self.first_refusal[slot as usize];
        *first = (*first).min(at as u32);
        if at >= to {
            let last = &mut self.last_refusal[slot as usize];
            *last = (*last).max(at as u32);
        }
    }

    pub(crate) fn ended(&mut self, colo: u16) {
        self.ended_in[usize::from(colo)] += 1;
    }

    /// Attempts that a dead database was sent, in all.
    pub(crate) fn wasted(&self) -> u64 {
        self.seconds.iter().map(|second| u64::from(second.wasted)).sum()
    }

    /// Calls a second to the dead database once the first 10 s are over: mean and most.
    pub(crate) fn dead_load(&self) -> (f64, u32) {
        let from = (self.outage.0 / 1_000) as usize + LEARNING_S;
        let to = (self.outage.1 / 1_000) as usize;
        let seconds = self.seconds.get(from..to).unwrap_or_default();
        let sum: u64 = seconds.iter().map(|second| u64::from(second.wasted)).sum();
        let most = seconds.iter().map(|second| second.wasted).max().unwrap_or(0);
        (sum as f64 / seconds.len().max(1) as f64, most)
    }

    /// How long after the outage began 95 % of the slots had refused a call, in milliseconds.
    pub(crate) fn refusing_ms(&self) -> Option<Ms> {
        let at = percentile(&self.first_refusal, 95);
        (at != NEVER).then(|| Ms::from(at).saturating_sub(self.outage.0))
    }

    /// How long after the end of the outage a share of the slots, in percent, had refused its last call, in
    /// milliseconds; `None` when they still did at the end of the world.
    pub(crate) fn recovery_ms(&self, percent: usize) -> Option<Ms> {
        let at = Ms::from(percentile(&self.last_refusal, percent));
        (at + 2_000 < self.end).then(|| at.saturating_sub(self.outage.1))
    }
}

/// The smallest value that `percent` of the values do not exceed.
fn percentile(values: &[u32], percent: usize) -> u32 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or(0)
}
