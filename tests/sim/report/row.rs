//! What a run came to, as one row.

use crate::fleet::plan::{Plan, Policy};
use crate::fleet::world::Outcome;

/// One row of the table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) isolates: u32,
    pub(crate) policy: Policy,
    pub(crate) seed: u64,
    /// Calls to the dead database.
    pub(crate) wasted: u64,
    /// The same per second, once the first 10 s are over.
    pub(crate) load_mean: f64,
    pub(crate) load_max: u32,
    /// Seconds; `None` when it did not happen.
    pub(crate) refusing_s: Option<f64>,
    pub(crate) recovery_s: Option<f64>,
    pub(crate) kv_writes: u64,
    pub(crate) kv_writes_per_colo: f64,
    pub(crate) kv_writes_per_key_second: u64,
    pub(crate) kv_refused: u64,
    pub(crate) kv_reads: u64,
    pub(crate) near_reads: u64,
    pub(crate) near_writes: u64,
    pub(crate) events: u64,
    pub(crate) digest: u64,
}

impl Row {
    /// The row of a run.
    pub(crate) fn of(plan: &Plan, outcome: &Outcome) -> Self {
        let (load_mean, load_max) = outcome.measure.dead_load();
        let seconds = |ms: u64| ms as f64 / 1_000.0;
        Self {
            isolates: plan.isolates,
            policy: plan.policy,
            seed: plan.seed,
            wasted: outcome.measure.wasted(),
            load_mean,
            load_max,
            refusing_s: outcome.measure.refusing_ms().map(seconds),
            recovery_s: outcome.measure.recovery_ms(95).map(seconds),
            kv_writes: outcome.kv.writes,
            kv_writes_per_colo: outcome.kv.writes as f64 / plan.sizes().len() as f64,
            kv_writes_per_key_second: outcome.kv.writes_per_key_second,
            kv_refused: outcome.kv.refused,
            kv_reads: outcome.kv.reads,
            near_reads: outcome.near.reads,
            near_writes: outcome.near.writes,
            events: outcome.events,
            digest: outcome.digest,
        }
    }

    /// One line for those who wait.
    pub(crate) fn progress(&self) -> String {
        format!(
            "{:>7} {:<10} wasted {:>9}  load {:>9.1} /s, most {:>7}  back after {:>7}  refusing after {:>7}  KV {} writes ({:.1} per colo, {} in a second, {} refused), {} reads  near {} reads, {} writes  {} events",
            self.isolates,
            self.policy.name(),
            self.wasted,
            self.load_mean,
            self.load_max,
            shown(self.recovery_s),
            shown(self.refusing_s),
            self.kv_writes,
            self.kv_writes_per_colo,
            self.kv_writes_per_key_second,
            self.kv_refused,
            self.kv_reads,
            self.near_reads,
            self.near_writes,
            self.events,
        )
    }
}

/// Seconds with one decimal, or a dash.
pub(crate) fn shown(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "–".to_owned(), |s| format!("{s:.1} s"))
}
