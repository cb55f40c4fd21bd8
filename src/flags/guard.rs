//! What must not happen while a flag is on, and what then becomes of it: it is killed, or its shares are lowered.
//!
//! Judged from what one isolate has seen of its databases in the last minute. A circuit is judged as it is; shares of failures
//! and times count from [`Guard::attempts_min`] attempts on. "Above" never means "equal".

use serde_json::Value;

use super::bucket::Share;
use crate::clock::Millis;

/// Attempts before a share of failures or a time counts, where a guard does not say.
pub const ATTEMPTS_MIN: u32 = 20;

/// The guard of one flag. It watches at least one of circuit, failures and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Whose; of any database where it is none.
    pub database: Option<String>,
    /// Whether an open circuit crosses it.
    pub watches_circuit: bool,
    /// More failing attempts than this cross it.
    pub error_rate: Option<Share>,
    /// A longer attempt than this, on average, crosses it; in milliseconds, at least 1.
    pub latency_ms: Option<Millis>,
    /// Fewer attempts in the last minute say nothing of failures and time; at least 1.
    pub attempts_min: u32,
    /// What no share of a rule with a rollout is above from then on; without it the flag is killed.
    pub lower_to: Option<Share>,
}

/// What was seen of a database in the last minute.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Its name.
    pub database: &'a str,
    /// Whether its circuit is open.
    pub is_open: bool,
    /// Attempts that have ended.
    pub attempts: u64,
    /// Of those, the ones for which the database is to blame.
    pub failing: u64,
    /// How long they took in all, in milliseconds.
    pub duration_ms: u64,
}

impl Guard {
    /// The comparison by which it was crossed; nothing while it is not.
    #[must_use]
    pub fn crossed(&self, seen: &[Seen<'_>]) -> Option<String> {
        let is_meant = |seen: &&Seen<'_>| self.database.as_deref().is_none_or(|name| name == seen.database);
        seen.iter().filter(is_meant).find_map(|seen| self.crossed_by(seen))
    }

    fn crossed_by(&self, seen: &Seen<'_>) -> Option<String> {
        let Seen { database, is_open, attempts, failing, duration_ms } = *seen;
        if self.watches_circuit && is_open {
            return Some(format!("the circuit of {database} is open"));
        }
        if attempts < u64::from(self.attempts_min) || attempts == 0 {
            return None;
        }
        let rate = failing as f64 * 100.0 / attempts as f64;
        if let Some(most) = self.error_rate.filter(|most| rate > f64::from(most.millionths()) / 10_000.0) {
            return Some(format!(
                "{rate:.1} % of {attempts} attempts on {database} failed in the last minute, more than {most} %"
            ));
        }
        let mean = duration_ms as f64 / attempts as f64;
        let most = self.latency_ms.filter(|most| mean > *most as f64)?;
        Some(format!(
            "{attempts} attempts on {database} took {mean:.0} ms on average in the last minute, more than {most} ms"
        ))
    }
}

/// The document with no share of this flag's rollouts above `share`; nothing if none is.
#[must_use]
pub fn lowered(document: &Value, flag: &str, share: Share) -> Option<Value> {
    let mut lowered = document.clone();
    let rules = lowered.get_mut("flags")?.get_mut(flag)?.get_mut("rules")?.as_array_mut()?;
    let mut is_changed = false;
    for rollout in rules.iter_mut().filter_map(|rule| rule.get_mut("rollout")) {
        if rollout.as_f64().is_some_and(|percent| percent * 10_000.0 > f64::from(share.millionths()) + 0.5) {
            *rollout = super::export::percent(share.millionths());
            is_changed = true;
        }
    }
    is_changed.then_some(lowered)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::flags::FlagSet;

    const CALM: Seen<'_> = Seen { database: "primary", is_open: false, attempts: 100, failing: 2, duration_ms: 5_000 };

    fn guard(text: &str) -> Guard {
        let rules = r#""rules":[{"rollout":50,"serve":"on"}]"#;
        let text = format!(r#"{{"version":1,"flags":{{"x":{{"guard":{text},{rules}}}}}}}"#);
        FlagSet::parse(&text).unwrap().flags["x"].guard.clone().unwrap()
    }

    #[test]
    fn a_guard_is_crossed_by_what_it_watches_and_by_nothing_else() {
        let crossed = |text: &str, seen: Seen<'_>| guard(text).crossed(&[seen]);
        for calm in [r#"{"circuit":"open"}"#, r#"{"errorRate":2}"#, r#"{"latency":50}"#, r#"{"latency":"1s"}"#] {
            assert_eq!(crossed(calm, CALM), None, "{calm}");
        }
        let open = Seen { is_open: true, ..CALM };
        assert_eq!(crossed(r#"{"circuit":"open"}"#, open).as_deref(), Some("the circuit of primary is open"));
        assert_eq!(crossed(r#"{"errorRate":50,"latency":60}"#, open), None);
        assert_eq!(
            crossed(r#"{"errorRate":1.5}"#, CALM).as_deref(),
            Some("2.0 % of 100 attempts on primary failed in the last minute, more than 1.5 %")
        );
        assert_eq!(
            crossed(r#"{"latency":49}"#, CALM).as_deref(),
            Some("100 attempts on primary took 50 ms on average in the last minute, more than 49 ms")
        );
    }

    #[test]
    fn too_few_attempts_say_nothing() {
        let few = Seen { attempts: 19, failing: 19, duration_ms: 1_000_000, ..CALM };
        let both = r#"{"errorRate":1,"latency":1}"#;
        assert_eq!(guard(both).crossed(&[few]), None);
        assert!(guard(both).crossed(&[Seen { attempts: 20, ..few }]).is_some());
        assert!(guard(r#"{"errorRate":1,"minimum":19}"#).crossed(&[few]).is_some());
        let none = Seen { attempts: 0, failing: 0, duration_ms: 0, ..CALM };
        assert_eq!(guard(r#"{"errorRate":0,"latency":1,"minimum":1}"#).crossed(&[none]), None);
    }

    #[test]
    fn a_guard_is_of_one_database_or_of_any() {
        let other = Seen { database: "orders", is_open: true, ..CALM };
        assert!(guard(r#"{"circuit":"open"}"#).crossed(&[CALM, other]).is_some());
        assert_eq!(guard(r#"{"database":"primary","circuit":"open"}"#).crossed(&[CALM, other]), None);
        assert!(guard(r#"{"database":"orders","circuit":"open"}"#).crossed(&[CALM, other]).is_some());
    }

    #[test]
    fn shares_are_lowered_and_never_raised() {
        let document = json!({ "version": 1, "revision": 7, "flags": { "x": { "rules": [
            { "if": [{ "attr": "a", "exists": true }], "serve": "on" },
            { "rollout": 2.5, "serve": "on" },
            { "rollout": 50, "serve": "on" },
        ] }, "y": { "rules": [{ "rollout": 50, "serve": "on" }] } } });
        let five = Share::of_percent(5).unwrap();
        let found = lowered(&document, "x", five).unwrap();
        let mut expected = document.clone();
        expected["flags"]["x"]["rules"][2]["rollout"] = 5.into();
        assert_eq!(found, expected);
        assert_eq!(lowered(&found, "x", five), None, "once is enough");
        assert_eq!(lowered(&document, "z", five), None);
    }

    #[test]
    fn a_guard_that_watches_nothing_or_has_nothing_to_lower_is_refused() {
        for (flag, place) in [
            (r#"{"guard":{}}"#, "flags.x.guard"),
            (r#"{"guard":{"database":"a"}}"#, "flags.x.guard"),
            (r#"{"guard":{"circuit":"closed"}}"#, "flags.x.guard.circuit"),
            (r#"{"guard":{"errorRate":101}}"#, "flags.x.guard.errorRate"),
            (r#"{"guard":{"latency":"5 s"}}"#, "flags.x.guard.latency"),
            (r#"{"guard":{"latency":0}}"#, "flags.x.guard.latency"),
            (r#"{"guard":{"circuit":"open","minimum":0}}"#, "flags.x.guard.minimum"),
            (r#"{"guard":{"circuit":"open","lowerTo":5}}"#, "flags.x.guard.lowerTo"),
            (r#"{"guard":{"circut":"open"}}"#, "flags.x.guard"),
        ] {
            let faults = FlagSet::parse(&format!(r#"{{"version":1,"flags":{{"x":{flag}}}}}"#)).unwrap_err();
            assert_eq!(faults[0].path, place, "{flag}: {faults:?}");
        }
    }

    #[test]
    fn a_guard_is_exported_as_it_was_written() {
        let rule = json!({ "rollout": 50, "serve": "on" });
        for guard in [
            json!({ "circuit": "open" }),
            json!({ "database": "orders", "errorRate": 2.5, "latency": 250, "minimum": 100, "lowerTo": 5 }),
        ] {
            let flags = json!({ "x": { "guard": guard, "rules": [rule] } });
            let document = json!({ "version": 1, "hash": 1, "revision": 0, "flags": flags });
            assert_eq!(FlagSet::parse(&document.to_string()).unwrap().to_json(), document);
        }
    }
}
