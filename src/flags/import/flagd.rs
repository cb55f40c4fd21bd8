//! From flagd's definitions, by meaning: JSONLogic with `if`, comparisons, `fractional` and references as rules.
//!
//! An expression is followed to its ends: each variant at one becomes a rule with all that has to hold on the way. Where a branch
//! ends in nothing, a rule for the default keeps those in it from the branches after it.

use serde_json::{Map, Value, json};

use super::foreign::{Warnings, items, members, never, not, parts, rule, text, unknown};
use super::{Imported, MOVES, checked, read};
use crate::flags::fault::Fault;
use crate::flags::version::Version;

/// Expressions within each other, at most; references count.
const LEVELS_MAX: usize = 24;
/// Most rules of a flag.
const RULES_MAX: usize = 200;

/// Reads flagd's definitions.
///
/// # Errors
///
/// What our form of it may not be: see `FlagSet::parse`. The paths are those of our form.
pub fn import(document: &str) -> Result<Imported, Vec<Fault>> {
    let document = read(document)?;
    let mut warnings = Warnings::default();
    let mut flags = Map::new();
    for (name, flag) in members(&document, "flags") {
        let path = format!("flags.{name}");
        let mut variants = flag.get("variants").cloned().unwrap_or_else(|| json!({}));
        let default = match text(flag, "defaultVariant") {
            Some(default) => default.to_owned(),
            None => {
                warnings.add(&path, "it has no default variant: it is null where no rule matches");
                variants["code-default"] = Value::Null;
                "code-default".to_owned()
            }
        };
        let mut logic =
            Logic { document: &document, path: &path, default: &default, rules: Vec::new(), warnings: &mut warnings };
        if let Some(targeting) =
            flag.get("targeting").filter(|targeting| targeting.as_object().is_some_and(|found| !found.is_empty()))
        {
            logic.end(targeting, &[], 0);
        }
        let rules = logic.rules;
        if rules.iter().any(|rule| rule["serve"].is_array()) {
            warnings.add(&path, MOVES);
        }
        let mut found = json!({ "variants": variants, "default": default, "rules": rules });
        if text(flag, "state") == Some("DISABLED") {
            found["enabled"] = false.into();
        }
        flags.insert(name.clone(), found);
    }
    checked(&json!({ "version": 1, "hash": 1, "flags": flags }), warnings.done())
}

struct Logic<'l> {
    document: &'l Value,
    path: &'l str,
    default: &'l str,
    rules: Vec<Value>,
    warnings: &'l mut Warnings,
}

impl Logic<'_> {
    fn serve(&mut self, conditions: &[Value], serve: Value, by: Option<Value>) {
        if self.rules.len() < RULES_MAX {
            let mut more = Map::from_iter([("serve".to_owned(), serve)]);
            more.extend(by.map(|by| ("by".to_owned(), by)));
            self.rules.push(rule(conditions.to_vec(), more));
        } else {
            self.warnings.add(self.path, "it has more ends than rules are taken: those behind are left out");
        }
    }

    /// What an expression ends in, below those conditions.
    fn end(&mut self, expression: &Value, conditions: &[Value], level: usize) {
        let expression = self.resolved(expression);
        match &expression {
            Value::String(variant) => self.serve(conditions, variant.clone().into(), None),
            Value::Bool(variant) => self.serve(conditions, variant.to_string().into(), None),
            Value::Null => self.serve(conditions, self.default.into(), None),
            _ if level > LEVELS_MAX => self.left_out("an expression that is deep within others"),
            _ if expression.get("if").is_some() => {
                let branches = items(&expression, "if").chunks(2);
                for branch in branches {
                    match branch {
                        [condition, then] => {
                            let mut conditions = conditions.to_vec();
                            conditions.push(self.condition(condition, level + 1));
                            self.end(then, &conditions, level + 1);
                        }
                        [other] => self.end(other, conditions, level + 1),
                        _ => {}
                    }
                }
                if items(&expression, "if").len().is_multiple_of(2) {
                    self.serve(conditions, self.default.into(), None);
                }
            }
            _ if expression.get("fractional").is_some() => {
                let list = items(&expression, "fractional");
                let (by, shares) = match list.split_first() {
                    Some((first, rest)) if first.is_object() => {
                        (attribute(first).or_else(|| self.concatenated(first)), rest)
                    }
                    _ => (None, list),
                };
                let share = |share: &Value| {
                    let name = share.get(0)?.as_str()?.to_owned();
                    Some((name, share.get(1).map_or(Some(1), Value::as_u64)?))
                };
                match shares.iter().map(share).collect::<Option<Vec<_>>>() {
                    Some(shares) if !shares.is_empty() => {
                        let shares =
                            shares.iter().filter(|(_, part)| *part > 0).map(|(name, part)| (name.as_str(), *part));
                        self.serve(conditions, parts(shares), by.map(Value::from));
                        self.serve(conditions, self.default.into(), None);
                    }
                    _ => self.left_out("shares whose names or weights are expressions"),
                }
            }
            _ => self.left_out("an expression that ends in no variant"),
        }
    }

    fn left_out(&mut self, what: &str) {
        self.warnings.add(self.path, format!("left out: {what}"));
    }

    /// What `cat` puts together, if one attribute is in it.
    fn concatenated(&self, expression: &Value) -> Option<String> {
        items(expression, "cat").iter().filter_map(attribute).find(|name| !name.starts_with("$flagd"))
    }

    fn resolved(&self, expression: &Value) -> Value {
        let mut found = expression;
        for _ in 0..LEVELS_MAX {
            let Some(name) = text(found, "$ref") else { break };
            found = self.document.get("$evaluators").and_then(|all| all.get(name)).unwrap_or(&Value::Null);
        }
        found.clone()
    }

    fn condition(&mut self, expression: &Value, level: usize) -> Value {
        let expression = self.resolved(expression);
        let Some((operator, values)) = expression.as_object().and_then(|found| found.iter().next()) else {
            return match expression {
                Value::Bool(true) => not(never()),
                _ => never(),
            };
        };
        if level > LEVELS_MAX {
            return unknown("flagd", "deep", self.path, self.warnings);
        }
        let one = |place: usize| values.get(place).unwrap_or(&Value::Null);
        let (left, right) = (attribute(one(0)), one(1));
        let found = match (operator.as_str(), &left) {
            ("and" | "or", _) => {
                let all: Vec<Value> =
                    values.as_array().into_iter().flatten().map(|value| self.condition(value, level + 1)).collect();
                let group = if operator == "and" { "all" } else { "any" };
                (!all.is_empty()).then(|| json!({ (group): all }))
            }
            ("!", _) => {
                let value = if values.is_array() { one(0) } else { values };
                Some(not(self.condition(value, level + 1)))
            }
            ("!!" | "var", _) => {
                let name =
                    if operator == "var" { attribute(&expression) } else { left.clone().or_else(|| attribute(values)) };
                name.map(|name| {
                    json!({ "all": [
                    { "attr": name, "exists": true }, { "attr": name, "in": [false, "", 0], "not": true },
                ] })
                })
            }
            ("==" | "===" | "!=" | "!==", Some(name)) => {
                let equal = match right {
                    Value::Null => json!({ "attr": name, "exists": false }),
                    value => json!({ "attr": name, "eq": value }),
                };
                Some(if operator.starts_with('!') { not(equal) } else { equal })
            }
            ("in", Some(name)) if right.is_array() => Some(json!({ "attr": name, "in": right })),
            ("in", None) => attribute(right).map(|name| json!({ "attr": name, "contains": one(0) })),
            ("starts_with", Some(name)) => Some(json!({ "attr": name, "startsWith": right })),
            ("ends_with", Some(name)) => Some(json!({ "attr": name, "endsWith": right })),
            ("<" | "<=" | ">" | ">=", Some(name)) => right.as_f64().map(|number| compared(operator, name, number)),
            ("sem_ver", Some(name)) => one(2).as_str().and_then(|version| {
                let range = versions(right.as_str()?, version)?;
                Some(json!({ "attr": name, "semver": range }))
            }),
            _ => None,
        };
        found.unwrap_or_else(|| unknown("flagd", operator, self.path, self.warnings))
    }
}

/// A number compared; the time of flagd is in seconds, ours in milliseconds.
fn compared(operator: &str, name: &str, number: f64) -> Value {
    if name == "$flagd.timestamp" {
        let ms = number * 1_000.0;
        // Whole milliseconds: "from that second on" is after the millisecond before it.
        let (operator, ms) = match operator {
            "<" => ("before", ms),
            "<=" => ("before", ms + 1.0),
            ">" => ("after", ms),
            _ => ("after", ms - 1.0),
        };
        return json!({ "attr": "$now", (operator): ms as i64 });
    }
    let operator = match operator {
        "<" => "lt",
        "<=" => "lte",
        ">" => "gt",
        _ => "gte",
    };
    json!({ "attr": name, (operator): number })
}

/// The attribute that `{"var": …}` names.
fn attribute(expression: &Value) -> Option<String> {
    let name = match expression.get("var")? {
        Value::Array(path) => path.first()?.as_str()?,
        name => name.as_str()?,
    };
    (!name.is_empty()).then(|| name.to_owned())
}

fn versions(operator: &str, version: &str) -> Option<String> {
    let [major, minor, _] = Version::parse(version)?.core;
    Some(match operator {
        "=" | "!=" | "<" | "<=" | ">" | ">=" => format!("{operator}{version}"),
        "^" => format!(">={major}.0.0-0 <{}.0.0-0", major.checked_add(1)?),
        "~" => format!(">={major}.{minor}.0-0 <{major}.{}.0-0", minor.checked_add(1)?),
        _ => return None,
    })
}
