//! Why somebody gets what it gets: each rule that was looked at, each condition, the bucket and what it would have had to be below.
//!
//! It is the same evaluation as without it, watched. What is told holds the values of attributes: it is for who may see those.

use serde::Serialize;
use serde_json::{Value, json};

use super::context::{Context, Val};
use super::decision::{Decision, ErrorCode, Reason};
use super::evaluate::{Flags, Moment, RuleEnd, Watch};
use super::table::{FlagIndex, Found, NOW_SLOT, Node, Op, Range, Table, node_bits};

/// Longest value that is told, in bytes.
const VALUE_MAX: usize = 256;
/// Most steps that are told.
const STEPS_MAX: usize = 2_000;

/// Why somebody gets what it gets.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The key of the flag.
    pub flag: String,
    /// The edition of the document.
    pub revision: u64,
    /// The name of the variant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The value; none if the caller's code says.
    pub value: Option<Value>,
    /// Why, as OpenFeature has it.
    pub reason: &'static str,
    /// Why, if the definitions were not stale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub underlying: Option<&'static str>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<&'static str>,
    /// Who turned it off or on, if that was no rule: `kill`, `flag`, `env`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<&'static str>,
    /// What was looked at, in order. At most 2,000 steps.
    pub steps: Vec<Step>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "step", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Step {
    /// A flag that is required.
    Requirement {
        /// The flag that requires it.
        of: String,
        /// Its key.
        flag: String,
        /// The variant that it is.
        #[serde(skip_serializing_if = "Option::is_none")]
        variant: Option<String>,
        /// Whether that will do.
        is_met: bool,
    },
    /// A rule.
    Rule {
        /// The flag that it belongs to.
        flag: String,
        /// Its place.
        rule: u16,
        /// Its name.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// What came of it: `serves`, `conditions`, `nobody`, `outside`, `noId`.
        outcome: &'static str,
        /// Conditions that were looked at. One that decided the rest is the last.
        conditions: Vec<Asked>,
        /// The bucket of a million that somebody is in.
        #[serde(skip_serializing_if = "Option::is_none")]
        bucket: Option<u32>,
        /// What the bucket has to be below.
        #[serde(skip_serializing_if = "Option::is_none")]
        below: Option<u32>,
        /// The bucket among variants.
        #[serde(skip_serializing_if = "Option::is_none")]
        variant_bucket: Option<u32>,
    },
}

/// One condition, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// In words: `country in ["DE","FR"]`.
    pub condition: String,
    /// The value that was found; none where it is missing, or the condition has others in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Value>,
    /// Whether it holds; none if it cannot be decided, which never holds.
    pub holds: Option<bool>,
}

struct Log<'l> {
    table: &'l Table,
    context: Context<'l>,
    moment: Moment,
    conditions: Vec<Asked>,
    steps: Vec<Step>,
}

impl Watch for Log<'_> {
    fn condition(&mut self, at: u32, holds: Option<bool>) {
        let Some(node) = self.table.nodes.get(at as usize) else { return };
        if self.conditions.len() < STEPS_MAX {
            let found = match node.op {
                Op::All | Op::Any | Op::Segment => None,
                _ if node.slot == NOW_SLOT => Some(self.moment.now.0.into()),
                _ => shown(self.context.at(node.slot)),
            };
            self.conditions.push(Asked { condition: words(self.table, node), found, holds });
        }
    }

    fn rule(&mut self, flag: FlagIndex, rule: u16, end: RuleEnd) {
        let conditions = std::mem::take(&mut self.conditions);
        let (outcome, hashed, variant_bucket) = match end {
            RuleEnd::Conditions => ("conditions", None, None),
            RuleEnd::NoId => ("noId", None, None),
            RuleEnd::Nobody => ("nobody", None, None),
            RuleEnd::Outside { bucket, below } => ("outside", Some((bucket, below)), None),
            RuleEnd::Serves { enrolled, split } => ("serves", enrolled, split),
        };
        if self.steps.len() < STEPS_MAX {
            self.steps.push(Step::Rule {
                flag: self.table.key(flag).to_owned(),
                rule,
                id: self.table.rule_name(flag, rule).map(str::to_owned),
                outcome,
                conditions,
                bucket: hashed.map(|(bucket, _)| bucket),
                below: hashed.map(|(_, below)| below),
                variant_bucket,
            });
        }
    }

    fn requirement(&mut self, flag: FlagIndex, other: FlagIndex, decision: &Decision, is_met: bool) {
        let variant = match decision.served {
            super::Served::Variant(place) => self.table.variants(other).nth(usize::from(place)).map(str::to_owned),
            _ => None,
        };
        if self.steps.len() < STEPS_MAX {
            let key = |flag| self.table.key(flag).to_owned();
            self.steps.push(Step::Requirement { of: key(flag), flag: key(other), variant, is_met });
        }
    }
}

impl Flags {
    /// What a flag is for somebody, and why.
    #[must_use]
    pub fn explain(&self, flag: FlagIndex, context: Context<'_>, moment: Moment) -> Explanation {
        let mut log = Log { table: self.table(), context, moment, conditions: Vec::new(), steps: Vec::new() };
        let decision = self.question(context, moment).decide(flag, 1, &mut log);
        Explanation {
            flag: self.table().key(flag).to_owned(),
            revision: self.table().revision(),
            variant: self.variant(flag, &decision).map(str::to_owned),
            value: self.value(flag, &decision).map(value),
            reason: decision.reason.text(),
            underlying: (decision.underlying != decision.reason).then(|| decision.underlying.text()),
            error_code: decision.error.map(|code| code.text()),
            by: decision.by.map(|by| by.text()),
            steps: log.steps,
        }
    }

    /// The same where a flag could not be asked about: what went wrong.
    #[must_use]
    pub fn unexplained(&self, flag: FlagIndex, error: ErrorCode) -> Explanation {
        Explanation {
            flag: self.table().key(flag).to_owned(),
            revision: self.table().revision(),
            variant: None,
            value: None,
            reason: Reason::Error.text(),
            underlying: None,
            error_code: Some(error.text()),
            by: None,
            steps: Vec::new(),
        }
    }
}

/// A value of a flag as JSON.
#[must_use]
pub fn value(found: Found<'_>) -> Value {
    match found {
        Found::Boolean(value) => value.into(),
        Found::Number(number) => whole(number),
        Found::Text(text) => text.into(),
        Found::Json(text) => serde_json::from_str(text).unwrap_or_default(),
    }
}

fn whole(number: f64) -> Value {
    const WHOLE_MAX: f64 = 9_007_199_254_740_991.0;
    if number.fract() == 0.0 && number.abs() <= WHOLE_MAX { (number as i64).into() } else { number.into() }
}

fn shown(val: Val<'_>) -> Option<Value> {
    match val {
        Val::Missing => None,
        Val::Text(text) => Some(text.get(..text.floor_char_boundary(VALUE_MAX)).unwrap_or_default().into()),
        Val::Number(number) => Some(whole(number)),
        Val::Bool(value) => Some(value.into()),
    }
}

/// A condition in words, cut where it is long.
fn words(table: &Table, node: &Node) -> String {
    let name = match node.slot {
        NOW_SLOT => "$now",
        slot => table.attributes.get(usize::from(slot)).map_or("", |name| table.part(*name)),
    };
    let texts =
        |range: Range| range.of(&table.texts).iter().map(|text| table.part(*text).into()).collect::<Vec<Value>>();
    let number = || table.numbers.get(node.b.start as usize).copied().map_or(Value::Null, whole);
    let words = match node.op {
        Op::All => "all".to_owned(),
        Op::Any => "any".to_owned(),
        Op::Segment => {
            let name = table.segments.get(node.a.start as usize).map_or("", |(_, name)| table.part(*name));
            format!("segment {name}")
        }
        Op::In => {
            let mut values = texts(node.a);
            values.extend(node.b.of(&table.numbers).iter().map(|number| whole(*number)));
            values.extend((node.bits & node_bits::TRUE != 0).then_some(Value::Bool(true)));
            values.extend((node.bits & node_bits::FALSE != 0).then_some(Value::Bool(false)));
            format!("{name} in {}", json!(values))
        }
        Op::StartsWith => format!("{name} startsWith {}", json!(texts(node.a))),
        Op::EndsWith => format!("{name} endsWith {}", json!(texts(node.a))),
        Op::Contains => format!("{name} contains {}", json!(texts(node.a))),
        Op::Gt => format!("{name} > {}", number()),
        Op::Gte => format!("{name} >= {}", number()),
        Op::Lt => format!("{name} < {}", number()),
        Op::Lte => format!("{name} <= {}", number()),
        Op::Before => format!("{name} before {} ms", number()),
        Op::After => format!("{name} after {} ms", number()),
        Op::Semver => format!("{name} semver"),
        Op::Cidr => format!("{name} in one of {} networks", node.a.len),
        Op::Exists if node.bits & node_bits::TRUE != 0 => format!("{name} exists"),
        Op::Exists => format!("{name} is missing"),
        Op::Regex => {
            let text = table.patterns.get(node.a.start as usize).map_or("", |row| table.part(row.text));
            format!("{name} regex {text:?}")
        }
        Op::Never => "what this release cannot decide".to_owned(),
    };
    let not = if node.bits & node_bits::NOT != 0 { "not " } else { "" };
    let ci = if node.bits & node_bits::CI != 0 { " (ci)" } else { "" };
    format!("{not}{}{ci}", &words[..words.floor_char_boundary(VALUE_MAX)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Instant;
    use crate::flags::{FlagSet, Overrides};

    fn explained(document: &Value, known: &[(&str, Val<'_>)]) -> Value {
        let flags = Flags::new(FlagSet::parse(&document.to_string()).unwrap().compile().unwrap(), Overrides::NONE);
        let value =
            |name: &str| known.iter().find(|(found, _)| *found == name).map(|(_, value)| *value).unwrap_or_default();
        let values: Vec<Val<'_>> = flags.table().attributes().map(value).collect();
        let context = Context::new(&values).unwrap();
        let moment = Moment { now: Instant(10_000), ..Moment::default() };
        let flag = flags.table().find("x").unwrap();
        let explanation = flags.explain(flag, context, moment);
        let decision = flags.evaluate(flag, context, moment);
        assert_eq!(explanation.reason, decision.reason.text(), "watching changes nothing");
        serde_json::to_value(explanation).unwrap()
    }

    /// FLG-09: an explanation tells rule by rule which condition failed, and which bucket was compared with what.
    #[test]
    fn it_is_told_rule_by_rule() {
        let document = json!({ "version": 1, "revision": 7, "segments": { "staff": [{ "attr": "email", "endsWith": "@acme.com" }] }, "flags": {
            "y": {},
            "x": {
                "requires": [{ "flag": "y", "is": ["off"] }],
                "rules": [
                    { "id": "staff", "if": [{ "segment": "staff" }], "serve": "on" },
                    { "if": [{ "attr": "age", "gte": 18 }, { "attr": "country", "in": ["DE", "FR"], "not": true }], "serve": "on" },
                    { "if": [{ "attr": "age", "newer": 1 }], "serve": "on" },
                    { "id": "nobody", "rollout": 0, "serve": "on" },
                    { "id": "by-mail", "rollout": 50, "by": "phone", "serve": "on" },
                    { "id": "ramp", "rollout": 99.9999, "serve": { "on": 99, "off": 1 } },
                ] } } });
        let known = [
            ("targetingKey", Val::Text("u")),
            ("age", Val::Number(20.0)),
            ("country", Val::Text("DE")),
            ("email", Val::Text("a@b.c")),
        ];
        let found = explained(&document, &known);
        let bucket = found["steps"][6]["bucket"].as_u64().unwrap();
        let variant_bucket = found["steps"][6]["variantBucket"].as_u64().unwrap();
        assert!(bucket < 999_999 && variant_bucket < 1_000_000);
        assert_eq!(
            found,
            json!({ "flag": "x", "revision": 7, "variant": "on", "value": true, "reason": "SPLIT", "steps": [
                { "step": "requirement", "of": "x", "flag": "y", "variant": "off", "isMet": true },
                { "step": "rule", "flag": "x", "rule": 0, "id": "staff", "outcome": "conditions", "conditions": [
                    { "condition": "email endsWith [\"@acme.com\"]", "found": "a@b.c", "holds": false },
                    { "condition": "segment staff", "holds": false },
                ] },
                { "step": "rule", "flag": "x", "rule": 1, "outcome": "conditions", "conditions": [
                    { "condition": "age >= 18", "found": 20, "holds": true },
                    { "condition": "not country in [\"DE\",\"FR\"]", "found": "DE", "holds": false },
                ] },
                { "step": "rule", "flag": "x", "rule": 2, "outcome": "conditions", "conditions": [
                    { "condition": "what this release cannot decide", "found": 20, "holds": null },
                ] },
                { "step": "rule", "flag": "x", "rule": 3, "id": "nobody", "outcome": "nobody", "conditions": [] },
                { "step": "rule", "flag": "x", "rule": 4, "id": "by-mail", "outcome": "noId", "conditions": [] },
                { "step": "rule", "flag": "x", "rule": 5, "id": "ramp", "outcome": "serves", "conditions": [], "bucket": bucket, "below": 999_999, "variantBucket": variant_bucket },
            ] })
        );
    }

    #[test]
    fn what_is_off_or_stale_says_so() {
        let found = explained(&json!({ "version": 1, "kill": ["x"], "flags": { "x": {} } }), &[]);
        assert_eq!(
            found,
            json!({ "flag": "x", "revision": 0, "variant": "off", "value": false, "reason": "DISABLED", "by": "kill", "steps": [] })
        );
        let found = explained(&json!({ "version": 1, "flags": { "x": { "maxAge": "1s" } } }), &[]);
        assert_eq!((&found["reason"], &found["underlying"]), (&json!("STALE"), &json!("STATIC")));
    }
}
