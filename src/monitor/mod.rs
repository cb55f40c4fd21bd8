//! What an isolate keeps between exchanges, so that it can answer operators and their tools.
//!
//! It joins the rooms that make documents and those that judge them: each has one field here of a type of its own, and
//! one field of [`Settings`]. What only the host can do it asks for, as a route does: see `http::exchange`.

pub mod admin_requests;
mod checks;
pub mod chores;
pub mod exposures;
pub mod flag_settings;
pub mod flag_state;
pub mod settings;

pub use settings::Settings;

use crate::access::guard::Guard;
use crate::access::keys::Keys;
use crate::access::known_tokens::KnownTokens;
use admin_requests::AdminRequests;
use checks::Checks;
use chores::UnderWay;
use flag_state::FlagState;

use crate::alerts::{self, Alerts};
use crate::audit;
use crate::clock::{Instant, Millis};
use crate::http::exchange::Answer;
use crate::http::flag_guards::Guards;
use crate::http::idempotency::Forgetting;
use crate::http::order_history;
use crate::metrics::Metrics;
use crate::metrics::document::Picture;
use crate::metrics::samples::Samples;
use crate::orders::Name;
use crate::orders::follow::Follow;
use crate::orders::seen::Seen;
use crate::report::facts::Facts;
use crate::report::probe::Probes;
use crate::telemetry::Telemetry;
use crate::telemetry::span::Span;

/// One isolate's memory of what it watches.
#[derive(Debug, Default)]
pub struct Monitor {
    settings: Settings,
    under_way: UnderWay,
    checks: Checks,
    /// What it measures.
    pub metrics: Metrics,
    admin_requests: AdminRequests,
    guard: Guard,
    access_keys: Keys,
    known_tokens: KnownTokens,
    orders: Seen,
    shown: Seen,
    follow: Follow,
    flags: FlagState,
    forgetting: Forgetting,
    audit: audit::forget::Forgetting,
    order_history: order_history::Forgetting,
    guards: Guards,
    probes: Probes,
    uptime_ms: Millis,
    alerts: Alerts,
    telemetry: Telemetry,
}

impl Monitor {
    /// Watches nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let alerts = Alerts::new(&settings.alerts);
        Self { settings, alerts, ..Self::default() }
    }

    /// What the host was told.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How the admin routes answered.
    #[must_use]
    pub const fn admin_requests(&self) -> &AdminRequests {
        &self.admin_requests
    }

    /// Everything that was measured: what this isolate has counted since its start, and its levels.
    pub fn measured(&mut self, facts: &Facts) -> Samples {
        self.metrics.all(facts, &self.admin_requests, &self.alerts, &self.flags.exposures)
    }

    /// The same, to be shown.
    pub fn picture(&mut self, facts: &Facts) -> Picture {
        self.metrics.alone(facts, &self.admin_requests, &self.alerts, &self.flags.exposures)
    }

    /// How the admin routes answered, to be counted.
    pub(crate) const fn admin_requests_mut(&mut self) -> &mut AdminRequests {
        &mut self.admin_requests
    }

    /// What bounds guessing at the admin routes.
    pub(crate) const fn guard_mut(&mut self) -> &mut Guard {
        &mut self.guard
    }

    /// The keys by which Cloudflare Access is believed.
    #[must_use]
    pub const fn access_keys(&self) -> &Keys {
        &self.access_keys
    }

    /// The same, to be changed.
    pub(crate) const fn access_keys_mut(&mut self) -> &mut Keys {
        &mut self.access_keys
    }

    /// Tokens as they were read a short time ago.
    #[must_use]
    pub const fn known_tokens(&self) -> &KnownTokens {
        &self.known_tokens
    }

    /// The same, to be changed.
    pub(crate) const fn known_tokens_mut(&mut self) -> &mut KnownTokens {
        &mut self.known_tokens
    }

    /// Takes an order that this isolate has written.
    pub(crate) fn wrote_order(&mut self, name: Name, text: &str, now: Instant) {
        for seen in [&mut self.orders, &mut self.shown] {
            seen.look(name, Some(text));
            seen.verified(name, now);
        }
    }

    /// What was shown of the orders: what was in the store or in the cache, whoever put it there. Nobody obeys it.
    pub(crate) const fn shown_mut(&mut self) -> &mut Seen {
        &mut self.shown
    }

    /// What was seen of the orders, and holds.
    pub const fn orders_mut(&mut self) -> &mut Seen {
        &mut self.orders
    }

    /// What was seen of the orders, to be shown.
    #[must_use]
    pub const fn orders(&self) -> &Seen {
        &self.orders
    }

    /// When old idempotency keys were last looked for.
    pub(crate) const fn forgetting_mut(&mut self) -> &mut Forgetting {
        &mut self.forgetting
    }

    /// When old records of the audit log were last looked for.
    pub(crate) const fn audit_mut(&mut self) -> &mut audit::forget::Forgetting {
        &mut self.audit
    }

    /// The guards of the flags that hold.
    pub(crate) const fn guards_mut(&mut self) -> &mut Guards {
        &mut self.guards
    }

    /// When old orders were last looked for.
    pub(crate) const fn order_history_mut(&mut self) -> &mut order_history::Forgetting {
        &mut self.order_history
    }

    /// How far the orders were followed.
    #[must_use]
    pub const fn follow(&self) -> &Follow {
        &self.follow
    }

    /// The same, to be changed.
    pub(crate) const fn follow_mut(&mut self) -> &mut Follow {
        &mut self.follow
    }

    /// What is known of flags, with what was seen of the orders so far.
    pub fn flags(&mut self, now: Instant) -> &mut FlagState {
        self.flags.sync(&self.orders, &self.settings.flags, self.follow.confirmed_at(), now);
        &mut self.flags
    }

    /// The probes of the databases, for a host that does not keep them itself.
    pub const fn probes(&mut self) -> &mut Probes {
        &mut self.probes
    }

    /// The isolate's uptime, as its host has it; what was told before, if a clock has stepped back since.
    pub fn uptime_ms(&mut self, told_ms: Millis) -> Millis {
        self.uptime_ms = self.uptime_ms.max(told_ms);
        self.uptime_ms
    }

    /// Whether metrics are served.
    #[must_use]
    pub const fn is_metered(&self) -> bool {
        self.settings.metrics.enabled
    }

    /// Has all databases probed every so many milliseconds from now on, at least [`settings::CHECK_INTERVAL_MIN_MS`];
    /// `None` ends it.
    pub fn check_every(&mut self, interval_ms: Option<Millis>) {
        self.settings.check_interval_ms = interval_ms.map(|ms| ms.max(settings::CHECK_INTERVAL_MIN_MS));
    }

    /// What is kept of alerts.
    #[must_use]
    pub const fn alerts(&self) -> &Alerts {
        &self.alerts
    }

    /// What is kept of alerts, to be changed.
    pub(crate) const fn alerts_mut(&mut self) -> &mut Alerts {
        &mut self.alerts
    }

    /// What is kept of alerts, to be changed, and what the host was told of them.
    pub(crate) const fn alerts_and_settings(&mut self) -> (&alerts::Settings, &mut Alerts) {
        (&self.settings.alerts, &mut self.alerts)
    }

    /// What is kept of telemetry.
    #[must_use]
    pub const fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// What is kept of telemetry, to be changed.
    pub(crate) const fn telemetry_mut(&mut self) -> &mut Telemetry {
        &mut self.telemetry
    }

    /// Keeps the records of an answer; any other answer holds none.
    pub(crate) fn take_in(&mut self, answer: Answer) {
        if let Answer::Logs(records) = answer {
            self.telemetry.take_in(records, &self.settings.telemetry);
        }
    }

    /// Keeps spans for a collector.
    pub fn take_in_spans(&mut self, spans: Vec<Span>) {
        self.telemetry.take_in_spans(spans, &self.settings.telemetry);
    }
}
