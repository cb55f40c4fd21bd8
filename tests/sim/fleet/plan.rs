//! What a world is made of.

use std::fmt::Write as _;

use super::clock::{ClockErrors, Ms};
use super::faults::{Fault, Faults, Trouble};
use super::kv::KvPlan;

/// What isolates do about a database that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Policy {
    /// Nothing: every request goes to the database.
    None,
    /// A circuit breaker that shares nothing.
    Local,
    /// A circuit breaker, and one key that every isolate reads every 5 s and overwrites with its own state.
    Naive,
    /// The engine's cells in KV.
    Cells,
    /// The engine's cells in KV and in a cache of each colo.
    CellsNear,
}

impl Policy {
    pub(crate) const ALL: [Self; 5] = [Self::None, Self::Local, Self::Naive, Self::Cells, Self::CellsNear];

    /// The name on the command line and in JSON.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Local => "local",
            Self::Naive => "naive",
            Self::Cells => "cells",
            Self::CellsNear => "cells-near",
        }
    }

    /// What it is, in a table.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Local => "local breaker only",
            Self::Naive => "naive: one key, last writer wins, polled every 5 s",
            Self::Cells => "Seawall, KV only",
            Self::CellsNear => "Seawall, KV and near layer",
        }
    }

    /// Whether the engine shares what it learns.
    pub(crate) const fn is_sharing(self) -> bool {
        matches!(self, Self::Cells | Self::CellsNear)
    }
}

/// How sure the settings are of the number of isolates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Expected {
    /// Nobody was told.
    Unknown,
    /// So many times the true number per colo.
    Times(f64),
}

/// A world.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) policy: Policy,
    pub(crate) isolates: u32,
    /// Where they are: the n-th colo has a share of 1/n.
    pub(crate) colos: u16,
    /// Requests of one isolate in a second, on average.
    pub(crate) requests_per_s: f64,
    /// Mean life of an isolate, in milliseconds.
    pub(crate) life_ms: f64,
    /// The share of isolates that stand still once, for up to `freeze_max_ms`.
    pub(crate) freezing: f64,
    pub(crate) freeze_max_ms: Ms,
    pub(crate) clocks: ClockErrors,
    pub(crate) kv: KvPlan,
    pub(crate) faults: Faults,
    /// When the outage that is measured begins, and when it is over.
    pub(crate) outage: (Ms, Ms),
    /// When the world ends.
    pub(crate) end: Ms,
    /// Capacity of the database, in times of the fleet's requests.
    pub(crate) headroom: f64,
    pub(crate) expected: Expected,
    /// Settings of the breaker and others beside the fleet's own: groups of JSON, without braces.
    pub(crate) settings: String,
}

/// Recovery after 2 s, at most 15 s apart.
pub(crate) const FLEET_SETTINGS: &str = r#""circuitBreaker":{"recoveryTimeout":2000,"recoveryTimeoutMax":15000}"#;

impl Plan {
    /// A fleet through an outage of `outage_ms` in which each call fails after one second.
    pub(crate) fn outage(policy: Policy, isolates: u32, seed: u64, outage_ms: Ms) -> Self {
        const HEALTHY_MS: Ms = 20_000;
        const AFTER_MS: Ms = 120_000;
        let back = HEALTHY_MS + outage_ms;
        Self {
            seed,
            policy,
            isolates,
            colos: 20,
            requests_per_s: 2.0,
            life_ms: 600_000.0,
            freezing: 0.0,
            freeze_max_ms: 60_000,
            clocks: ClockErrors::KEPT,
            kv: KvPlan::DOCUMENTED,
            faults: Faults(vec![Fault::everywhere(HEALTHY_MS, back, Trouble::Fails { after_ms: 1_000 })]),
            outage: (HEALTHY_MS, back),
            end: back + AFTER_MS,
            headroom: 2.0,
            expected: Expected::Unknown,
            settings: FLEET_SETTINGS.to_owned(),
        }
    }

    /// Isolates of each colo: shares of 1, 1/2, 1/3, …, and at least one each.
    pub(crate) fn sizes(&self) -> Vec<u32> {
        let colos = u32::from(self.colos).min(self.isolates).max(1);
        let weight: f64 = (1..=colos).map(|rank| 1.0 / f64::from(rank)).sum();
        let spare = f64::from(self.isolates - colos);
        let mut sizes: Vec<u32> =
            (1..=colos).map(|rank| 1 + (spare / f64::from(rank) / weight).floor() as u32).collect();
        let missing = self.isolates - sizes.iter().sum::<u32>();
        (0..missing as usize).for_each(|index| sizes[index % colos as usize] += 1);
        sizes
    }

    /// The settings of an isolate in a colo of `size`.
    pub(crate) fn settings_of(&self, colo: usize, size: u32) -> String {
        let mut text = String::from("{");
        let groups = match self.policy {
            Policy::None => r#""circuitBreaker":{"enabled":false}"#,
            _ => &self.settings,
        };
        if !groups.is_empty() {
            text.push_str(groups);
            text.push(',');
        }
        let expected = match self.expected {
            Expected::Unknown => 0.0,
            Expected::Times(times) => (f64::from(size) * times).round().max(1.0),
        };
        let has_near = self.policy == Policy::CellsNear;
        let _ = write!(text, r#""state":{{"expectedIsolates":{expected},"near":{has_near}}},"#);
        let _ = write!(
            text,
            r#""platform":{{"isProduction":true,"isPolling":true,"connectionsMax":6,"database":"db","colo":"c{colo}"}}}}"#
        );
        text
    }
}
