//! What an isolate knows of flags: the edition that holds, compiled once for each version of the orders `flags` and `kill`.
//!
//! An edition that cannot be taken changes nothing: the one before holds on, and the state says so. Before the first order the
//! definitions hold that were deployed with the code, if there are any. What is killed is off at once, whatever holds.

use serde_json::Value;

use super::exposures::Exposures;
use super::flag_settings::Settings;
use crate::clock::{Instant, Millis};
use crate::flags::model::{ATTRIBUTES_MAX, Kill};
use crate::flags::ratio::{Mismatch, SampleRatio};
use crate::flags::{
    Context, Decision, Fault, FlagIndex, FlagSet, Flags, Moment, Overrides, Reason, Table, Val, explain, exposure,
};
use crate::orders::Name;
use crate::orders::order::Order;
use crate::orders::published;
use crate::orders::seen::Seen;
use crate::policy::rate::{Rate, RateConfig};

/// What every attribute is while it is tried whether a flag evaluates.
const TRIED: Val<'static> = Val::Text("health");

/// One isolate's flags. See the module.
#[derive(Debug, Default)]
pub struct FlagState {
    flags: Flags,
    texts: Vec<Texts>,
    is_ready: bool,
    has_begun: bool,
    /// The versions of the orders that were looked at last: `flags`, `kill`.
    looked_at: (u64, u64),
    version: u64,
    warnings: Option<usize>,
    refused: Option<Refused>,
    failing: Vec<String>,
    since: Option<Instant>,
    confirmed_at: Option<Instant>,
    requests: Rate,
    /// To whom, of a sample: how users were split.
    samples: exposure::Exposures,
    /// What was served.
    pub exposures: Exposures,
}

/// An edition that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The version of the order.
    pub version: u64,
    /// All that is wrong with it.
    pub faults: Vec<Fault>,
}

/// What of a flag stands in each answer, as JSON that was written once.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    /// Its key: `"a"`.
    pub key: String,
    /// Of each variant: `"value":true,"variant":"on"`.
    pub variants: Vec<String>,
}

/// An edition that can be taken.
pub(super) struct Edition {
    table: Table,
    overrides: Overrides,
    warnings: Option<usize>,
}

/// Reads an order: its snapshot, and where that is another release's, its document.
fn ordered(order: &Order, settings: &Settings) -> Result<Edition, Vec<Fault>> {
    match order.compiled.as_deref().and_then(published::table) {
        Some(table) => {
            let overrides = overrides(&table, settings, &Kill::default())?;
            Ok(Edition { table, overrides, warnings: None })
        }
        None => edition_of(&order.value, settings),
    }
}

/// Reads a document.
pub(super) fn edition_of(document: &Value, settings: &Settings) -> Result<Edition, Vec<Fault>> {
    let (set, warnings) = FlagSet::from_value(document)?;
    let table = set.compile()?;
    let overrides = overrides(&table, settings, &Kill::default())?;
    Ok(Edition { table, overrides, warnings: Some(warnings.len()) })
}

fn overrides(table: &Table, settings: &Settings, kill: &Kill) -> Result<Overrides, Vec<Fault>> {
    Overrides::read(table, settings.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())), kill)
}

impl FlagState {
    /// Takes what was seen of the orders since the last time. `confirmed_at` is when they were last known to be current.
    pub(super) fn sync(&mut self, seen: &Seen, settings: &Settings, confirmed_at: Option<Instant>, now: Instant) {
        if !self.has_begun {
            self.has_begun = true;
            self.begin(settings);
        }
        self.since.get_or_insert(now);
        self.confirmed_at = confirmed_at;
        let order = |name| seen.newest(name);
        let version_of = |name| order(name).map_or(0, |order: &Order| order.version);
        let versions = (version_of(Name::Flags), version_of(Name::Kill));
        if versions == self.looked_at {
            return;
        }
        let is_edition_new = versions.0 != self.looked_at.0;
        self.looked_at = versions;
        if let Some(order) = order(Name::Flags).filter(|_| is_edition_new) {
            match ordered(order, settings) {
                Ok(edition) => self.take(edition, order.version, now),
                Err(faults) => self.refused = Some(Refused { version: order.version, faults }),
            }
        }
        let kill = order(Name::Kill).map(|order| Kill::of_order(&order.value)).unwrap_or_default();
        let table = self.flags.table();
        // Variables were taken with this table; whatever becomes of them, what is killed is off.
        let overrides = overrides(table, settings, &kill).or_else(|_| Overrides::read(table, [], &kill));
        self.flags.override_by(overrides.unwrap_or_default());
    }

    fn begin(&mut self, settings: &Settings) {
        match settings.definitions.as_ref().map(|document| edition_of(document, settings)) {
            // The settings were refused for it.
            Some(Err(faults)) => self.refused = Some(Refused { version: 0, faults }),
            Some(Ok(edition)) => self.take(edition, 0, Instant(0)),
            None => {
                // What one says of a flag that is not known yet is nothing against the others.
                let (table, kill) = (Table::default(), Kill::default());
                let variables = settings.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                let alone = variables.filter(|variable| Overrides::read(&table, [*variable], &kill).is_ok());
                let overrides = Overrides::read(&table, alone, &kill).unwrap_or_default();
                self.flags = Flags::new(table, overrides);
            }
        }
    }

    fn take(&mut self, Edition { table, overrides, warnings }: Edition, version: u64, now: Instant) {
        self.samples = std::mem::take(&mut self.samples).after(self.flags.table(), &table);
        self.flags = Flags::new(table, overrides);
        self.texts = texts_of(self.flags.table());
        self.failing = failing(&self.flags, now);
        self.warnings = warnings;
        self.version = version;
        self.refused = None;
        self.is_ready = true;
    }

    /// The flags that hold; none before the first.
    #[must_use]
    pub const fn flags(&self) -> &Flags {
        &self.flags
    }

    /// What of a flag stands in each answer.
    #[must_use]
    pub fn texts(&self, flag: FlagIndex) -> Option<&Texts> {
        self.texts.get(flag.place() as usize)
    }

    /// Whether definitions were ever taken.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// The version of the order that holds; 0 for what was deployed with the code.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The version of the list of kills.
    #[must_use]
    pub const fn kill_version(&self) -> u64 {
        self.looked_at.1
    }

    /// How many warnings there are about the edition that holds; none of a snapshot, which says nothing about them.
    #[must_use]
    pub const fn warnings(&self) -> Option<usize> {
        self.warnings
    }

    /// The newest edition, if it was refused.
    #[must_use]
    pub const fn refused(&self) -> Option<&Refused> {
        self.refused.as_ref()
    }

    /// The flags that do not evaluate, whoever asks.
    #[must_use]
    pub fn failing(&self) -> &[String] {
        &self.failing
    }

    /// A moment for evaluations. Definitions that nobody confirms, because there is no store, are as old as the isolate's flags.
    #[must_use]
    pub fn moment(&self, now: Instant, random: u64) -> Moment {
        Moment { now, confirmed_at: self.confirmed_at.or(self.since).unwrap_or(now), random }
    }

    /// How long ago the definitions were last known to be current, in milliseconds.
    #[must_use]
    pub fn age_ms(&self, now: Instant) -> Millis {
        now.since(self.moment(now, 0).confirmed_at)
    }

    /// Counts that somebody was served a flag.
    pub fn served(&mut self, flag: FlagIndex, decision: &Decision, context: Context<'_>) {
        let variant = self.flags.variant(flag, decision).unwrap_or_default();
        self.exposures.count(self.flags.table().key(flag), variant);
        self.samples.count(self.flags.table(), flag, decision, context);
    }

    /// Whether those who were served a flag here were split as its rules say. None if no rule splits.
    #[must_use]
    pub fn sample_ratio(&self, flag: FlagIndex) -> Option<SampleRatio> {
        let table = self.flags.table();
        table.sample_ratio(flag, &self.samples.observed(table, flag))
    }

    /// The flags whose users were not split as their rules say, as far as this isolate has seen; at most so many.
    #[must_use]
    pub fn mismatches(&self, most: usize) -> Vec<Mismatch> {
        self.samples.mismatches(self.flags.table(), most)
    }

    /// Takes a request of somebody who asks for flags.
    ///
    /// # Errors
    ///
    /// When there were too many: in how many milliseconds there is room.
    pub fn admit(&mut self, per_minute: u32, now: Instant) -> Result<(), Millis> {
        self.requests.reconfigure(RateConfig::per_second(f64::from(per_minute) / 60.0, per_minute));
        self.requests.decide(now).map_err(|at| at.since(now).max(1))
    }
}

fn texts_of(table: &Table) -> Vec<Texts> {
    let json = |text: &str| Value::from(text).to_string();
    let of = |flag: FlagIndex| {
        let variants = table.variants(flag).zip(0_u16..).map(|(name, place)| {
            let value = table.value(flag, place).map(explain::value).unwrap_or_default();
            format!(r#""value":{value},"variant":{}"#, json(name))
        });
        Texts { key: json(table.key(flag)), variants: variants.collect() }
    };
    table.all().map(of).collect()
}

/// FLG-12: tries each flag once.
fn failing(flags: &Flags, now: Instant) -> Vec<String> {
    let table = flags.table();
    let values = [TRIED; ATTRIBUTES_MAX];
    let context =
        values.get(..table.attributes().len()).and_then(|values| Context::new(values).ok()).unwrap_or_default();
    let fails = |flag: &FlagIndex| {
        let decision = flags.evaluate(*flag, context, Moment { now, confirmed_at: now, random: 0 });
        let is_served = decision.reason == Reason::Disabled || flags.value(*flag, &decision).is_some();
        decision.error.is_some() || !is_served
    };
    table.all().filter(fails).map(|flag| table.key(flag).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::flags::Found;

    const NOW: Instant = Instant(1_704_067_200_000);

    fn order(version: u64, value: Value) -> Order {
        let (by, reason) = ("ada".to_owned(), "a test".to_owned());
        Order { version, id: version, updated_at: NOW, by, reason, previous: None, value, compiled: None }
    }

    struct World {
        seen: Seen,
        state: FlagState,
        settings: Settings,
    }

    impl World {
        fn new(settings: Value) -> Self {
            let settings = serde_json::from_value(settings).unwrap();
            Self { seen: Seen::default(), state: FlagState::default(), settings }
        }

        fn see(&mut self, name: Name, version: u64, value: Value) {
            self.seen.look(name, Some(&order(version, value).text(name)));
            self.sync();
        }

        fn sync(&mut self) {
            self.state.sync(&self.seen, &self.settings, None, NOW);
        }

        fn value(&self, key: &str) -> Option<bool> {
            let flags = self.state.flags();
            let flag = flags.table().find(key)?;
            let decision = flags.evaluate(flag, Context::EMPTY, self.state.moment(NOW, 0));
            match flags.value(flag, &decision) {
                Some(Found::Boolean(value)) => Some(value),
                _ => None,
            }
        }
    }

    fn document(key: &str) -> Value {
        json!({ "version": 1, "revision": 7, "flags": { key: { "rules": [{ "serve": "on" }] } } })
    }

    #[test]
    fn an_order_takes_the_place_of_what_was_deployed() {
        let mut world = World::new(json!({ "definitions": document("bundled") }));
        world.sync();
        assert_eq!((world.state.is_ready(), world.state.version(), world.value("bundled")), (true, 0, Some(true)));
        world.see(Name::Flags, 3, document("ordered"));
        assert_eq!((world.state.version(), world.value("bundled"), world.value("ordered")), (3, None, Some(true)));
        assert!(!World::new(json!({})).state.is_ready());
    }

    /// FLG-08: what is killed is off with the next look, by itself and also where the edition beside it is refused.
    #[test]
    fn what_is_killed_is_off_whatever_becomes_of_the_edition() {
        let mut world = World::new(json!({ "variables": { "FEATURE_A": "true" } }));
        world.see(Name::Flags, 1, document("a"));
        world.see(Name::Kill, 1, json!({ "flags": ["a"] }));
        assert_eq!((world.value("a"), world.state.kill_version()), (Some(false), 1));
        world.see(Name::Kill, 2, json!({}));
        assert_eq!(world.value("a"), Some(true));
        world.seen.look(Name::Kill, Some(&order(3, json!({ "all": true })).text(Name::Kill)));
        world.see(Name::Flags, 2, json!({ "a": true }));
        assert_eq!((world.value("a"), world.state.version()), (Some(false), 1));
    }

    /// FLG-12: an edition with a fault is refused whole, the last good one holds on, and which it was is known.
    #[test]
    fn what_is_refused_changes_nothing() {
        let mut world = World::new(json!({ "variables": { "FEATURE_B": "7" } }));
        world.see(Name::Flags, 1, document("a"));
        assert_eq!(world.state.refused(), None);
        world.see(Name::Flags, 2, json!({ "version": 1, "flags": { "a": { "rules": [{ "serve": "blue" }] } } }));
        let refused = world.state.refused().unwrap();
        assert_eq!((refused.version, refused.faults.len()), (2, 1));
        assert_eq!((world.value("a"), world.state.version()), (Some(true), 1));
        // A variable that says what the flag cannot be.
        world.see(Name::Flags, 3, document("b"));
        assert!(world.state.refused().unwrap().faults[0].to_string().contains("FEATURE_B"));
        world.see(Name::Flags, 4, document("c"));
        assert_eq!((world.value("c"), world.state.refused()), (Some(true), None));
        assert_eq!(world.state.failing(), [] as [&str; 0]);
    }

    /// ENV-03 to ENV-09: variables say what a flag is, before and after an order.
    #[test]
    fn variables_hold_with_any_edition() {
        let mut world = World::new(json!({ "variables": { "FEATURE_A": "false", "FEATURE_ALONE": "true" } }));
        world.sync();
        assert!(world.state.flags().overrides().decide_alone("alone", Context::EMPTY).is_some());
        world.see(Name::Flags, 1, document("a"));
        assert_eq!(world.value("a"), Some(false));
    }

    #[test]
    fn before_any_edition_one_variable_is_nothing_against_the_others() {
        let mut world = World::new(json!({ "variables": { "FEATURE_BUTTON": "blue", "FEATURE_ALONE": "true" } }));
        world.sync();
        assert!(world.state.flags().overrides().decide_alone("alone", Context::EMPTY).is_some());
    }

    /// FLG-07: users who are not split as a rule says are told with the rule and the counts, and not before there are enough.
    #[test]
    fn users_who_are_not_split_as_they_should_be_are_told() {
        let rules = json!([{ "id": "half", "serve": { "A": 50, "B": 50 } }]);
        let flag = json!({ "variants": { "A": 1, "B": 2, "off": 0 }, "default": "off", "rules": rules });
        let document = json!({ "version": 1, "flags": { "ab": flag, "other": {} } });
        let served = |users: usize, lost: &str| {
            let mut world = World::new(json!({}));
            world.see(Name::Flags, 1, document.clone());
            let found = world.state.flags().table().find("ab").unwrap();
            for number in 0..users {
                let id = format!("user-{number}");
                let values = [Val::Text(&id)];
                let context = Context::new(&values).unwrap();
                let decision = world.state.flags().evaluate(found, context, Moment::default());
                if world.state.flags().variant(found, &decision) != Some(lost) {
                    world.state.served(found, &decision, context);
                }
            }
            // It outlives an edition in which the flag splits as before.
            let mut next = document.clone();
            next["flags"]["a"] = json!({});
            world.see(Name::Flags, 2, next);
            world.state.mismatches(20)
        };
        assert_eq!(served(0, ""), []);
        assert_eq!(served(2_000, ""), [], "a fair split");
        assert_eq!(served(12, "B"), [], "too few");
        let [mismatch] = served(100_000, "B").try_into().unwrap();
        assert_eq!((mismatch.flag.as_str(), mismatch.rules.len()), ("ab", 1));
        assert!(mismatch.p_value < 1e-6 && mismatch.rules[0].p_value < 1e-6, "{mismatch:?}");
        assert_eq!(mismatch.rules[0].rule, "half");
        let counts = |of: &[(&str, u32)]| of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        assert_eq!(mismatch.rules[0].observed, counts(&[("A", 1_024), ("B", 0)]), "a sample, however many come");
        assert_eq!(mismatch.rules[0].expected["B"], 512.0);
    }

    #[test]
    fn flags_are_stale_when_nobody_has_confirmed_them() {
        let mut world = World::new(json!({}));
        world.sync();
        assert_eq!(world.state.age_ms(NOW.plus(60)), 60);
        world.state.sync(&world.seen, &world.settings, Some(NOW.plus(50)), NOW.plus(60));
        assert_eq!(world.state.age_ms(NOW.plus(60)), 10);
    }
}
