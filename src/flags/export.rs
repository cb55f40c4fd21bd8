//! A document as JSON: names in the order of their bytes, nothing said that would hold anyway. Reading it gives the same flags.

use serde_json::{Map, Value, json};

use super::bucket::Share;
use super::guard::{ATTEMPTS_MIN, Guard};
use super::model::{Condition, ConditionKind, Flag, FlagSet, Kill, Literal, Rule, Serve, TARGETING_KEY, Test};

impl FlagSet {
    /// The document.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut document = Map::new();
        document.insert("version".to_owned(), 1.into());
        document.insert("hash".to_owned(), 1.into());
        document.insert("revision".to_owned(), self.revision.into());
        match &self.kill {
            Kill::All => _ = document.insert("kill".to_owned(), "all".into()),
            Kill::These(flags) if flags.is_empty() => {}
            Kill::These(flags) => _ = document.insert("kill".to_owned(), flags.iter().cloned().collect()),
        }
        if !self.segments.is_empty() {
            let segments = self.segments.iter().map(|(name, within)| (name.clone(), conditions(within)));
            document.insert("segments".to_owned(), Value::Object(segments.collect()));
        }
        let flags = self.flags.iter().map(|(name, found)| (name.clone(), flag(found)));
        document.insert("flags".to_owned(), Value::Object(flags.collect()));
        Value::Object(document)
    }
}

fn flag(flag: &Flag) -> Value {
    let plain = Flag::boolean(false);
    let mut found = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            found.insert(name.to_owned(), value);
        }
    };
    put("enabled", (!flag.is_enabled).then_some(Value::Bool(false)));
    put("owner", flag.owner.clone().map(Value::String));
    put("description", flag.description.clone().map(Value::String));
    let variants = || flag.variants.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    put("variants", (flag.variants != plain.variants).then(|| Value::Object(variants())));
    put("default", (flag.default != plain.default).then(|| flag.default.clone().into()));
    put("salt", flag.salt.clone().map(Value::String));
    put("by", (flag.by != [TARGETING_KEY]).then(|| by(&flag.by)));
    put("strict", flag.is_strict.then_some(Value::Bool(true)));
    put("maxAge", flag.age.map(|age| age.max_ms.into()));
    put("onStale", flag.age.filter(|age| age.is_off_beyond).map(|_| "off".into()));
    put("off", flag.is_off_left_to_code.then(|| "code-default".into()));
    let requires = || {
        let one = |requirement: &super::model::Requirement| {
            let mut found = json!({ "flag": requirement.flag, "is": requirement.is });
            if requirement.not {
                found["not"] = true.into();
            }
            found
        };
        flag.requires.iter().map(one).collect()
    };
    put("requires", (!flag.requires.is_empty()).then(requires));
    put("rules", (!flag.rules.is_empty()).then(|| flag.rules.iter().map(rule).collect()));
    put("guard", flag.guard.as_ref().map(guard));
    Value::Object(found)
}

fn guard(guard: &Guard) -> Value {
    let mut found = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            found.insert(name.to_owned(), value);
        }
    };
    put("database", guard.database.clone().map(Value::String));
    put("circuit", guard.watches_circuit.then(|| "open".into()));
    put("errorRate", guard.error_rate.map(|share| percent(share.millionths())));
    put("latency", guard.latency_ms.map(Value::from));
    put("minimum", (guard.attempts_min != ATTEMPTS_MIN).then(|| guard.attempts_min.into()));
    put("lowerTo", guard.lower_to.map(|share| percent(share.millionths())));
    Value::Object(found)
}

fn rule(rule: &Rule) -> Value {
    let mut found = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            found.insert(name.to_owned(), value);
        }
    };
    put("id", rule.id.clone().map(Value::String));
    put("if", (!rule.conditions.is_empty()).then(|| conditions(&rule.conditions)));
    put("rollout", rule.rollout.map(|share| percent(share.millionths())));
    put("by", rule.by.as_deref().map(by));
    put("salt", rule.salt.clone().map(Value::String));
    put("serve", Some(serve(&rule.serve)));
    let mut split = Map::new();
    split.extend(rule.split.by.as_deref().map(|names| ("by".to_owned(), by(names))));
    split.extend(rule.split.salt.clone().map(|salt| ("salt".to_owned(), salt.into())));
    put("split", (!split.is_empty()).then_some(Value::Object(split)));
    Value::Object(found)
}

fn serve(serve: &Serve) -> Value {
    match serve {
        Serve::One(name) => name.clone().into(),
        // An object has the order of its names; any other has to be said.
        Serve::Weights(weights) if weights.is_sorted_by_key(|(name, _)| name) => {
            Value::Object(weights.iter().map(|(name, weight)| (name.clone(), percent(*weight))).collect())
        }
        Serve::Weights(weights) => {
            weights.iter().map(|(name, weight)| json!({ "variant": name, "weight": percent(*weight) })).collect()
        }
        Serve::Parts(parts) => parts.iter().map(|(name, part)| json!({ "variant": name, "part": part })).collect(),
        Serve::Ranges(variants) => {
            let pair = |(from, to): &(u32, u32)| Value::from(vec![percent(*from), percent(*to)]);
            let ranges = |ranges: &Vec<(u32, u32)>| ranges.iter().map(pair).collect();
            Value::Object(variants.iter().map(|(name, found)| (name.clone(), ranges(found))).collect())
        }
    }
}

/// Millionths in percent: whole where they are, else the double that its four digits mean.
pub(super) fn percent(millionths: u32) -> Value {
    if millionths.is_multiple_of(10_000) {
        return (millionths / 10_000).into();
    }
    let digits = Share::of_millionths(millionths).map(|share| share.to_string());
    digits.and_then(|digits| digits.parse::<f64>().ok()).map_or(Value::Null, Value::from)
}

fn by(names: &[String]) -> Value {
    match names {
        [one] => one.clone().into(),
        several => several.into(),
    }
}

fn conditions(conditions: &[Condition]) -> Value {
    conditions.iter().map(condition).collect()
}

fn condition(condition: &Condition) -> Value {
    let mut found = match &condition.kind {
        ConditionKind::Segment(name) => json!({ "segment": name }),
        ConditionKind::All(within) => json!({ "all": conditions(within) }),
        ConditionKind::Any(within) => json!({ "any": conditions(within) }),
        ConditionKind::Attribute { name, test, ci } => {
            let (operator, value) = operator(test);
            let mut found = json!({ "attr": name });
            found[operator] = value;
            if *ci {
                found["ci"] = true.into();
            }
            found
        }
    };
    if condition.not {
        found["not"] = true.into();
    }
    found
}

fn operator(test: &Test) -> (&str, Value) {
    match test {
        Test::In(literals) => ("in", literals.iter().map(literal).collect()),
        Test::Eq(found) => ("eq", literal(found)),
        Test::Ne(found) => ("ne", literal(found)),
        Test::StartsWith(found) => ("startsWith", texts(found)),
        Test::EndsWith(found) => ("endsWith", texts(found)),
        Test::Contains(found) => ("contains", texts(found)),
        Test::Number(comparison, found) => (comparison.text(), number(*found)),
        Test::Before(_, written) => ("before", written.clone()),
        Test::After(_, written) => ("after", written.clone()),
        Test::Semver(text) => ("semver", text.clone().into()),
        Test::Cidr(found) => ("cidr", texts(found)),
        Test::Exists(is_there) => ("exists", (*is_there).into()),
        Test::Regex(text) => ("regex", text.clone().into()),
        Test::Unknown(name, value) => (name, value.clone()),
    }
}

fn texts(found: &[String]) -> Value {
    match found {
        [one] => one.clone().into(),
        several => several.into(),
    }
}

fn literal(literal: &Literal) -> Value {
    match literal {
        Literal::Text(text) => text.clone().into(),
        Literal::Number(found) => number(*found),
        Literal::Bool(value) => (*value).into(),
    }
}

/// Whole numbers without a point, as most writers of JSON have them.
fn number(found: f64) -> Value {
    const WHOLE_MAX: f64 = 9_007_199_254_740_991.0;
    if found.fract() == 0.0 && found.abs() <= WHOLE_MAX { (found as i64).into() } else { found.into() }
}
