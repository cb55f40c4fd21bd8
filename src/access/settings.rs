//! What a host is told about its admin routes.

use serde::Deserialize;

use super::assertion;
use crate::audit::head::Limits;
use crate::clock::Millis;
use crate::orders::follow::INTERVAL_MIN_MS;

const DAY_MS: Millis = 86_400_000;
/// Least time for which records are kept, in days.
const KEEP_DAYS_MIN: u32 = 1;
/// Longest, in days: a hundred years.
const KEEP_DAYS_MAX: u32 = 36_500;
/// Most addresses of pages.
const ORIGINS_MAX: usize = 16;
/// Most writes a minute.
const PER_MINUTE_MAX: u32 = 100_000;

/// The options. Names in JSON are those of JavaScript; what is unknown is refused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// Writes a minute, and at once after a pause, by all isolates together.
    pub writes_per_minute: u32,
    /// The same for the kill switch, beside the others.
    pub kills_per_minute: u32,
    /// Records of the audit log, and orders that were replaced, are kept for so many days.
    pub audit_keep_days: u32,
    /// An isolate looks this often at most whether there are newer orders, in milliseconds.
    pub follow_interval_ms: Millis,
    /// It looks into the read cache, and not into the strong store: for fleets that would be too many for that.
    pub follow_cache: bool,
    /// Requests a minute, and at once after a pause, with something that does not let in: for each isolate by itself.
    pub failures_per_minute: u32,
    /// Whom Cloudflare Access lets in, and as what; nobody without it.
    pub access: Option<assertion::Settings>,
    /// Where pages may come from that write with what Access says, beside the address of the routes themselves, such as
    /// `https://ops.example.com`: for hosts behind a proxy, which do not know their own.
    pub origins: Vec<String>,
    /// What runs here: writes that move a deployment need approval where it is `production`.
    pub environment: String,
    /// The approval: exactly `true`.
    pub migration_approved: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            writes_per_minute: 60,
            kills_per_minute: 60,
            audit_keep_days: 400,
            follow_interval_ms: 500,
            follow_cache: false,
            failures_per_minute: 300,
            access: None,
            origins: Vec::new(),
            // Where nobody says anything, the answer is the one that needs approval.
            environment: "production".to_owned(),
            migration_approved: None,
        }
    }
}

impl Settings {
    /// What is wrong with them, in words that name the option.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let per_minute = [
            ("writesPerMinute", self.writes_per_minute),
            ("killsPerMinute", self.kills_per_minute),
            ("failuresPerMinute", self.failures_per_minute),
        ];
        for (name, value) in per_minute {
            if !(1..=PER_MINUTE_MAX).contains(&value) {
                return Some(format!("admin.{name} must be 1 to {PER_MINUTE_MAX}."));
            }
        }
        if self.follow_interval_ms < INTERVAL_MIN_MS {
            return Some(format!("admin.followIntervalMs must be at least {INTERVAL_MIN_MS}."));
        }
        let is_origin = |origin: &String| {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")).unwrap_or_default();
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte);
            !host.is_empty() && host.len() <= 256 && host.bytes().all(is_plain)
        };
        if self.origins.len() > ORIGINS_MAX || !self.origins.iter().all(is_origin) {
            return Some(format!("admin.origins must be at most {ORIGINS_MAX} of the form https://ops.example.com."));
        }
        if let Some(problem) = self.access.as_ref().and_then(assertion::Settings::problem) {
            return Some(problem);
        }
        let is_kept = (KEEP_DAYS_MIN..=KEEP_DAYS_MAX).contains(&self.audit_keep_days);
        (!is_kept).then(|| format!("admin.auditKeepDays must be {KEEP_DAYS_MIN} to {KEEP_DAYS_MAX}."))
    }

    /// How much may be written.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        Limits { writes_per_minute: self.writes_per_minute, kills_per_minute: self.kills_per_minute }
    }

    /// How long records are kept, in milliseconds.
    #[must_use]
    pub const fn audit_keep_ms(&self) -> Millis {
        self.audit_keep_days as Millis * DAY_MS
    }
}
