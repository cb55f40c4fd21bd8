//! What is told of single operations and events: trace context, log records, and their way to a collector.

pub mod events;
pub mod export;
pub mod keep;
pub mod logs;
pub mod otlp;
pub mod settings;
pub mod span;
pub mod trace_context;
pub mod watch;

pub use settings::Settings;

use export::Exporter;
use keep::Keeper;
use logs::{Record, Ring};
use span::Span;

/// What an isolate keeps of it.
#[derive(Debug, Default)]
pub struct Telemetry {
    recent: Ring,
    exporter: Exporter,
    keeper: Keeper,
}

impl Telemetry {
    /// Keeps records, has them left in the strong store, and exported if `settings` say where to.
    pub fn take_in(&mut self, records: Vec<Record>, settings: &Settings) {
        for record in records {
            if settings.otlp.is_on() {
                self.exporter.take_in(record.clone());
            }
            self.keeper.take_in(&record);
            self.recent.push(record);
        }
    }

    /// Has spans exported, if `settings` say where to.
    pub fn take_in_spans(&mut self, spans: Vec<Span>, settings: &Settings) {
        if settings.otlp.is_on() {
            for span in spans {
                self.exporter.take_in_span(span);
            }
        }
    }

    /// The last records of this isolate.
    #[must_use]
    pub const fn recent(&self) -> &Ring {
        &self.recent
    }

    /// What waits to be exported.
    pub(crate) const fn exporter_mut(&mut self) -> &mut Exporter {
        &mut self.exporter
    }

    /// What waits to be left in the strong store.
    pub(crate) const fn keeper_mut(&mut self) -> &mut Keeper {
        &mut self.keeper
    }

    /// What became of what was to be exported.
    #[must_use]
    pub const fn exporter(&self) -> &Exporter {
        &self.exporter
    }
}
