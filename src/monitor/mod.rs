//! What an isolate keeps between exchanges, so that it can answer operators and their tools.
//!
//! It joins the rooms that make documents and those that judge them: each has one field here of a type of its own, and
//! one field of [`Settings`]. What only the host can do it asks for, as a route does: see `http::exchange`.

mod checks;
pub mod chores;
pub mod settings;

pub use settings::Settings;

use checks::Checks;
use chores::UnderWay;

use crate::clock::Millis;
use crate::metrics::Metrics;

/// One isolate's memory of what it watches.
#[derive(Debug, Default)]
pub struct Monitor {
    settings: Settings,
    under_way: UnderWay,
    checks: Checks,
    /// What it measures.
    pub metrics: Metrics,
}

impl Monitor {
    /// Watches nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// What the host was told.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Has all databases probed every so many milliseconds from now on, at least [`settings::CHECK_INTERVAL_MIN_MS`];
    /// `None` ends it.
    pub fn check_every(&mut self, interval_ms: Option<Millis>) {
        self.settings.check_interval_ms = interval_ms.map(|ms| ms.max(settings::CHECK_INTERVAL_MIN_MS));
    }
}
