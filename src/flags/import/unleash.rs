//! From Unleash's client features (`GET /api/client/features`, or the events of its delta): exactly, as its client
//! specification has it.
//!
//! A strategy becomes a rule: strategies are "or", constraints and segments "and". Buckets are the same, see `bucket`. What a
//! variant's weights sum up to stays what the hash is divided by. An override becomes a rule before that of its strategy, with the
//! same enrolment. A dependency becomes what a flag requires; Unleash looks one level up only, so a flag whose parent has a
//! parent is off.

mod constraints;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::foreign::{Warnings, is_true, items, millionths, parts, percent, rule, text};
use super::{Imported, checked, read};
use crate::flags::fault::Fault;

/// Reads the features of Unleash.
///
/// # Errors
///
/// What our form of it may not be: see `FlagSet::parse`. The paths are those of our form.
pub fn import(document: &str) -> Result<Imported, Vec<Fault>> {
    let state = joined(&read(document)?);
    let mut warnings = Warnings::default();
    let features: BTreeMap<&str, &Value> =
        items(&state, "features").iter().filter_map(|feature| Some((text(feature, "name")?, feature))).collect();
    let segments: BTreeMap<String, Value> = items(&state, "segments")
        .iter()
        .map(|segment| {
            let name = segment_name(segment.get("id").unwrap_or(&Value::Null));
            let conditions: Vec<Value> = items(segment, "constraints")
                .iter()
                .map(|constraint| constraints::condition(constraint, &format!("segments.{name}"), &mut warnings))
                .collect();
            (name, conditions.into())
        })
        .collect();
    let names: BTreeMap<&str, Names> = features.iter().map(|(name, feature)| (*name, Names::of(feature))).collect();
    let mut flags = Map::new();
    for (name, feature) in &features {
        let Some(own) = names.get(name) else { continue };
        let mut import = Feature { name, feature, names: own, segments: &segments, warnings: &mut warnings };
        let mut flag = import.flag();
        match requirements(feature, &features, &names) {
            Some(requires) if requires.is_empty() => {}
            Some(requires) => flag["requires"] = requires.into(),
            // A parent that is not there, or has one itself: nobody is in.
            None => {
                warnings.add(
                    &format!("flags.{name}"),
                    "this is off for everybody: a flag that it depends on is not there, or depends on another",
                );
                if let Some(flag) = flag.as_object_mut() {
                    flag.remove("rules");
                }
            }
        }
        flags.insert((*name).to_owned(), flag);
    }
    let document = json!({ "version": 1, "hash": 1, "segments": segments, "flags": flags });
    checked(&document, warnings.done())
}

/// Features and segments; events of the delta are applied in their order.
fn joined(document: &Value) -> Value {
    if document.get("events").is_none() {
        return document.clone();
    }
    let mut features: BTreeMap<String, Value> = BTreeMap::new();
    let mut segments: BTreeMap<String, Value> = BTreeMap::new();
    let id = |value: &Value| value.to_string();
    for event in items(document, "events") {
        match text(event, "type") {
            Some("hydration") => {
                let named = |feature: &Value| Some((text(feature, "name")?.to_owned(), feature.clone()));
                features = items(event, "features").iter().filter_map(named).collect();
                let known = |segment: &Value| Some((id(segment.get("id")?), segment.clone()));
                segments = items(event, "segments").iter().filter_map(known).collect();
            }
            Some("feature-updated") => {
                let feature = event.get("feature");
                features.extend(feature.and_then(|feature| Some((text(feature, "name")?.to_owned(), feature.clone()))));
            }
            Some("feature-removed") => {
                _ = text(event, "featureName").and_then(|name| features.remove(name));
            }
            Some("segment-updated") => {
                let segment = event.get("segment");
                segments.extend(segment.and_then(|segment| Some((id(segment.get("id")?), segment.clone()))));
            }
            Some("segment-removed") => _ = event.get("segmentId").and_then(|removed| segments.remove(&id(removed))),
            _ => {}
        }
    }
    let (features, segments): (Vec<Value>, Vec<Value>) =
        (features.into_values().collect(), segments.into_values().collect());
    json!({ "features": features, "segments": segments })
}

fn segment_name(id: &Value) -> String {
    format!("unleash-{}", id.to_string().trim_matches('"'))
}

/// What the variants of a feature are called here: those of Unleash keep their names; "on" and "off" get others where a
/// variant has theirs.
struct Names {
    on: String,
    off: String,
    variants: BTreeMap<String, Value>,
}

impl Names {
    fn of(feature: &Value) -> Self {
        let of_strategies = items(feature, "strategies").iter().flat_map(|strategy| items(strategy, "variants"));
        let all = items(feature, "variants").iter().chain(of_strategies);
        let variants: BTreeMap<String, Value> = all
            .filter_map(|variant| {
                let name = text(variant, "name")?;
                Some((name.to_owned(), payload(variant).unwrap_or_else(|| name.into())))
            })
            .collect();
        let free = |name: &str| {
            let mut name = name.to_owned();
            while variants.contains_key(&name) {
                name.push('_');
            }
            name
        };
        Self { on: free("on"), off: free("off"), variants }
    }

    /// The variants that Unleash would call enabled, those given or all.
    fn enabled(&self, named: Option<&BTreeSet<&str>>) -> BTreeSet<String> {
        let own = self.variants.keys().chain([&self.on]).cloned();
        match named {
            None => own.collect(),
            // "disabled" is what Unleash calls the variant of a flag that is on and has none.
            Some(named) => own
                .filter(|name| named.contains(name.as_str()) || (*name == self.on && named.contains("disabled")))
                .collect(),
        }
    }
}

/// The value of a payload. Text that is no JSON or number is text all the same.
fn payload(variant: &Value) -> Option<Value> {
    let payload = variant.get("payload")?;
    let value = text(payload, "value")?;
    let parsed = || crate::orders::json::read(value).ok();
    let found = match text(payload, "type") {
        Some("json") => parsed(),
        Some("number") => parsed().filter(Value::is_number),
        _ => None,
    };
    Some(found.unwrap_or_else(|| value.into()))
}

/// What a feature requires; none if it can never be met.
fn requirements(
    feature: &Value,
    features: &BTreeMap<&str, &Value>,
    names: &BTreeMap<&str, Names>,
) -> Option<Vec<Value>> {
    let one = |dependency: &Value| {
        let parent = text(dependency, "feature")?;
        if !items(features.get(parent)?, "dependencies").is_empty() {
            return None;
        }
        let names = names.get(parent)?;
        if dependency.get("enabled") == Some(&Value::Bool(false)) {
            return Some(json!({ "flag": parent, "is": names.enabled(None), "not": true }));
        }
        let named: BTreeSet<&str> = items(dependency, "variants").iter().filter_map(Value::as_str).collect();
        let is = names.enabled((!named.is_empty()).then_some(&named));
        (!is.is_empty()).then(|| json!({ "flag": parent, "is": is }))
    };
    items(feature, "dependencies").iter().map(one).collect()
}

struct Feature<'u> {
    name: &'u str,
    feature: &'u Value,
    names: &'u Names,
    segments: &'u BTreeMap<String, Value>,
    warnings: &'u mut Warnings,
}

/// For whom a strategy is: what a rule has before it says what it serves.
struct Strategy {
    conditions: Vec<Value>,
    enrolment: Map<String, Value>,
    /// The salt of its own variants.
    group: String,
    /// The stickiness of its own variants, where they do not say.
    stickiness: Option<String>,
}

impl Feature<'_> {
    fn flag(&mut self) -> Value {
        let Names { on, off, variants } = self.names;
        let mut values: BTreeMap<&String, Value> = variants.iter().map(|(name, value)| (name, value.clone())).collect();
        // "on" and "off" are boolean values only if nothing else has a value.
        let (yes, no) = if variants.is_empty() { (true.into(), false.into()) } else { (Value::Null, Value::Null) };
        values.extend([(on, yes), (off, no)]);
        let mut rules = Vec::new();
        let strategies = items(self.feature, "strategies");
        if strategies.is_empty() {
            let everybody = Strategy {
                conditions: Vec::new(),
                enrolment: Map::new(),
                group: self.name.to_owned(),
                stickiness: None,
            };
            self.rules(&Value::Null, &everybody, &mut rules);
        }
        for (place, value) in strategies.iter().enumerate().filter(|(_, strategy)| !is_true(strategy, "disabled")) {
            if let Some(strategy) = self.strategy(value, place) {
                self.rules(value, &strategy, &mut rules);
            }
        }
        let mut flag = json!({ "variants": values, "default": off, "rules": rules });
        if !is_true(self.feature, "enabled") {
            flag["enabled"] = false.into();
        }
        if let Some(description) =
            text(self.feature, "description").filter(|text| !text.is_empty() && text.len() <= 1_000)
        {
            flag["description"] = description.into();
        }
        flag
    }

    fn warn(&mut self, problem: impl Into<String>) {
        self.warnings.add(&format!("flags.{}", self.name), problem);
    }

    /// Those that Unleash comes with; none for others, which it takes for "nobody".
    fn strategy(&mut self, strategy: &Value, place: usize) -> Option<Strategy> {
        let path = format!("flags.{}", self.name);
        let mut conditions: Vec<Value> = items(strategy, "constraints")
            .iter()
            .map(|constraint| constraints::condition(constraint, &path, self.warnings))
            .collect();
        for id in items(strategy, "segments") {
            let name = segment_name(id);
            if !self.segments.contains_key(&name) {
                self.warn(format!("a strategy is for nobody: the segment {id} is not there"));
                return None;
            }
            conditions.push(json!({ "segment": name }));
        }
        let parameter = |name: &str| strategy.get("parameters").and_then(|parameters| text(parameters, name));
        let list = |name: &str| -> Vec<String> {
            let parts = parameter(name).unwrap_or_default().split(',').map(|part| part.trim().to_owned());
            parts.filter(|part| !part.is_empty()).collect()
        };
        let mut found = Strategy {
            conditions,
            enrolment: Map::new(),
            group: parameter("groupId").filter(|group| !group.is_empty()).unwrap_or(self.name).to_owned(),
            stickiness: parameter("stickiness").map(str::to_owned),
        };
        match text(strategy, "name") {
            Some("default") => {}
            Some("userWithId") => found.conditions.push(json!({ "attr": "userId", "in": list("userIds") })),
            Some("remoteAddress") => {
                found.conditions.push(constraints::networks("remoteAddress", &list("IPs"), &path, self.warnings))
            }
            Some("applicationHostname") => {
                found.conditions.push(json!({ "attr": "hostname", "in": list("hostNames"), "ci": true }));
                self.warn("a strategy asks for the name of the host: give it as the attribute \"hostname\"");
            }
            Some("flexibleRollout") => {
                let (by, group) = (parameter("stickiness").unwrap_or("default"), found.group.clone());
                found.enroll(parameter("rollout"), by, &group, place);
            }
            Some("gradualRolloutUserId") => {
                found.enroll(parameter("percentage"), "userId", parameter("groupId").unwrap_or_default(), place);
            }
            Some("gradualRolloutSessionId") => {
                found.enroll(parameter("percentage"), "sessionId", parameter("groupId").unwrap_or_default(), place);
            }
            Some("gradualRolloutRandom") => found.enroll(parameter("percentage"), "random", self.name, place),
            name => {
                let name = name.unwrap_or("").to_owned();
                self.warn(format!("a strategy is for nobody: {name:?} is one of your own"));
                return None;
            }
        }
        Some(found)
    }

    /// The rules of one strategy: overrides first, then what everybody else gets.
    fn rules(&mut self, value: &Value, strategy: &Strategy, rules: &mut Vec<Value>) {
        let Names { on, .. } = self.names;
        let rule_of = |more: Vec<Value>, serve: Value, split: Option<Value>| {
            let conditions = strategy.conditions.iter().cloned().chain(more).collect();
            let mut parts = strategy.enrolment.clone();
            parts.insert("serve".to_owned(), serve);
            parts.extend(split.map(|split| ("split".to_owned(), split)));
            rule(conditions, parts)
        };
        let of_strategy = items(value, "variants");
        let (variants, salt, default) = if of_strategy.is_empty() {
            (items(self.feature, "variants"), self.name, None)
        } else {
            (of_strategy, strategy.group.as_str(), strategy.stickiness.as_deref())
        };
        let weights: Vec<(&str, u64)> = variants
            .iter()
            .filter_map(|variant| {
                Some((text(variant, "name")?, variant.get("weight").and_then(Value::as_u64).unwrap_or(0)))
            })
            .collect();
        let sum: u64 = weights.iter().map(|(_, weight)| weight).sum();
        if sum == 0 {
            rules.push(rule_of(Vec::new(), on.clone().into(), None));
            return;
        }
        for variant in variants {
            for over in items(variant, "overrides") {
                if let (Some(name), Some(attribute)) = (text(variant, "name"), text(over, "contextName")) {
                    let condition = json!({ "attr": attribute, "in": items(over, "values") });
                    rules.push(rule_of(vec![condition], name.into(), None));
                }
            }
        }
        let stickiness = variants.first().and_then(|variant| text(variant, "stickiness")).or(default);
        let by = match stickiness.unwrap_or("default") {
            "default" => json!(["userId", "sessionId", "remoteAddress", "$random"]),
            "random" => json!("$random"),
            attribute => json!([attribute, "$random"]),
        };
        let serve = parts(weights.iter().filter(|(_, weight)| *weight > 0).copied());
        rules.push(rule_of(Vec::new(), serve, Some(json!({ "by": by, "salt": salt }))));
    }
}

impl Strategy {
    fn enroll(&mut self, rollout: Option<&str>, stickiness: &str, group: &str, place: usize) {
        // Unleash compares `hash % 100 + 1 <= percent`: of a percent with a fraction, the whole ones count.
        let percentage = rollout.and_then(|rollout| rollout.trim().parse::<f64>().ok()).unwrap_or(0.0);
        let share = millionths(percentage.floor() / 100.0);
        let by = match stickiness {
            "default" => json!(["userId", "sessionId", "$random"]),
            "random" => json!("$random"),
            // Without the attribute nobody is in, not even at 100 %.
            attribute => {
                self.conditions.push(json!({ "attr": attribute, "exists": true }));
                self.conditions.push(json!({ "attr": attribute, "ne": "" }));
                json!(attribute)
            }
        };
        // What is by chance in one strategy is by another chance in the next.
        let salt = if stickiness == "random" { format!("{group}:{place}") } else { group.to_owned() };
        self.enrolment.insert("rollout".to_owned(), percent(share));
        self.enrolment.insert("by".to_owned(), by);
        self.enrolment.insert("salt".to_owned(), salt.into());
    }
}
