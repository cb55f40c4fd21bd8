//! What is said about flags beside their document: by environment variables, and by the order that turns flags off.
//!
//! `FEATURE_X=false` turns a flag off, whatever else is said. `FEATURE_X=true`, `=<variant>` and `=<json>` say what it is for
//! everybody; `ROLLOUT_X=25` how many have it. A variable for a flag that is not there makes one that is known by it alone.

use std::collections::BTreeMap;

use serde_json::Value;

use super::bucket::{ENROL_SEED, Prefix, Share, enrol_bucket};
use super::context::{Context, Digits};
use super::decision::{Decision, Reason, Served, Source};
use super::fault::{Fault, Finder, quoted};
use super::layers;
use super::model::{Kill, VALUE_MAX};
use super::table::{FlagIndex, FlagRow, Found, Kind, NONE, Table, flag_bits};
use super::variables::{FEATURE, ROLLOUT, suffix};
use crate::orders::json;

/// Most flags that variables alone make.
pub const EXTRAS_MAX: usize = 1_000;

/// What a variable says a flag is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Force {
    #[default]
    No,
    Off,
    Variant(u16),
    /// A value, at that place.
    Value(u16),
}

/// What is said about one flag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Override {
    pub(super) is_killed: bool,
    pub(super) force: Force,
    /// In millionths.
    pub(super) share: Option<u32>,
}

#[derive(Clone, Debug, PartialEq)]
enum Held {
    Bool(bool),
    Number(f64),
    Text(String),
    Json(String),
}

/// What is said beside a document. Belongs to one table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// By flag; empty if nothing is said about any.
    rows: Vec<Override>,
    values: Vec<Held>,
    /// Flags that are not in the table, by what is behind the prefix.
    extras: BTreeMap<String, Override>,
}

impl Overrides {
    /// Nothing is said.
    pub const NONE: Self = Self { rows: Vec::new(), values: Vec::new(), extras: BTreeMap::new() };

    /// Reads variables, those that do not begin with `FEATURE_` or `ROLLOUT_` and settings of layers aside, and joins them with
    /// what is turned off.
    ///
    /// # Errors
    ///
    /// Each variable that cannot be taken, by its name. Values are not repeated.
    pub fn read<'v>(
        table: &Table,
        variables: impl IntoIterator<Item = (&'v str, &'v str)>,
        kill: &Kill,
    ) -> Result<Self, Vec<Fault>> {
        let mut found = Self::NONE;
        let mut at = Finder::default();
        let flags: BTreeMap<String, FlagIndex> = table.all().map(|flag| (suffix(table.key(flag)), flag)).collect();
        let mut rows = vec![Override::default(); table.flags.len()];
        for (name, value) in variables {
            let (is_rollout, suffix) = match (name.strip_prefix(FEATURE), name.strip_prefix(ROLLOUT)) {
                (Some(suffix), _) => (false, suffix),
                (_, Some(suffix)) => (true, suffix),
                (None, None) => continue,
            };
            let flag = flags.get(suffix).copied();
            // A layer's variables are its defaults: what a document says is better, and `false` leaves it to the share.
            if layers::is_setting(name) && (flag.is_some() || !is_rollout && matches!(value, "false" | "0")) {
                continue;
            }
            let known = flag.and_then(|flag| Some((flag, table.row(flag)?, rows.get(flag.0 as usize).copied()?)));
            let before = known.map_or_else(|| found.extras.get(suffix).copied().unwrap_or_default(), |(_, _, row)| row);
            let known = known.map(|(flag, row, _)| (flag, row));
            let after = at.member(name, |at| {
                if is_rollout {
                    rollout(value, before, known, at)
                } else {
                    found.feature(value, before, table, known, at)
                }
            });
            match flag.and_then(|flag| rows.get_mut(flag.0 as usize)) {
                Some(row) => *row = after,
                None if suffix.is_empty() || found.extras.len() >= EXTRAS_MAX => {
                    at.member(name, |at| {
                        at.fault(format!("this names no flag; at most {EXTRAS_MAX} come from variables alone"))
                    });
                }
                None => _ = found.extras.insert(suffix.to_owned(), after),
            }
        }
        for (row, flag) in rows.iter_mut().zip(table.all()) {
            row.is_killed = kill.has(table.key(flag));
        }
        let killed: Vec<String> = match kill {
            Kill::All => found.extras.keys().cloned().collect(),
            Kill::These(flags) => flags.iter().map(|flag| suffix(flag)).collect(),
        };
        for name in killed {
            if let Some(extra) = found.extras.get_mut(&name) {
                extra.is_killed = true;
            }
        }
        if rows.iter().any(|row| *row != Override::default()) {
            found.rows = rows;
        }
        if at.faults.is_empty() { Ok(found) } else { Err(at.faults) }
    }

    fn feature(
        &mut self,
        value: &str,
        before: Override,
        table: &Table,
        known: Option<(FlagIndex, &FlagRow)>,
        at: &mut Finder,
    ) -> Override {
        let with = |force| Override { force, ..before };
        let is_boolean = known.is_none_or(|(_, row)| row.bits & flag_bits::BOOLEAN != 0);
        match value {
            "false" => return with(Force::Off),
            "0" if is_boolean => return with(Force::Off),
            "true" | "1" if is_boolean => {
                let on = known.map_or(NONE, |(_, row)| row.on);
                return if on == NONE { self.held(Held::Bool(true), before, at) } else { with(Force::Variant(on)) };
            }
            _ => {}
        }
        let Some((flag, row)) = known else {
            let held = json::read(value).ok().map(|value| held(&value)).filter(|_| value.len() <= VALUE_MAX);
            return match held {
                Some(value) => self.held(value, before, at),
                None => {
                    at.fault("there is no such flag, so this is true, false or JSON");
                    before
                }
            };
        };
        if let Some(place) = table.variants(flag).position(|name| name == value) {
            let variant = u16::try_from(place).unwrap_or(NONE);
            let is_false =
                row.bits & flag_bits::BOOLEAN != 0 && table.value(flag, variant) == Some(Found::Boolean(false));
            return with(if is_false { Force::Off } else { Force::Variant(variant) });
        }
        let is_kind = |kind| row.variants.of(&table.variants).iter().any(|variant| variant.kind == kind);
        match json::read(value) {
            Ok(json) if value.len() <= VALUE_MAX && is_kind(Kind::of(&json)) => self.held(held(&json), before, at),
            _ => {
                let names: Vec<&str> = table.variants(flag).map(quoted).collect();
                at.fault(format!(
                    "this is true, false, one of the variants {}, or JSON like their values",
                    names.join(", ")
                ));
                before
            }
        }
    }

    fn held(&mut self, value: Held, before: Override, at: &mut Finder) -> Override {
        match u16::try_from(self.values.len()) {
            Ok(place) if place < NONE => {
                self.values.push(value);
                Override { force: Force::Value(place), ..before }
            }
            _ => {
                at.fault("there are too many variables");
                before
            }
        }
    }

    /// What is said about a flag.
    #[inline]
    pub(super) fn of(&self, flag: FlagIndex) -> Override {
        self.rows.get(flag.0 as usize).copied().unwrap_or_default()
    }

    /// A value that a variable says.
    pub fn value(&self, place: u16) -> Option<Found<'_>> {
        self.values.get(usize::from(place)).map(|held| match held {
            Held::Bool(value) => Found::Boolean(*value),
            Held::Number(number) => Found::Number(*number),
            Held::Text(text) => Found::Text(text),
            Held::Json(json) => Found::Json(json),
        })
    }

    /// What a boolean flag that no document has is for everybody: nothing if no variable knows it, `Some(None)` if that differs.
    pub(super) fn constant_alone(&self, key: &str) -> Option<Option<bool>> {
        if self.extras.is_empty() {
            return None;
        }
        let found = self.extras.get(&suffix(key))?;
        Some(match (found.is_killed, found.force, found.share) {
            (true, ..) => Some(false),
            (_, Force::Value(place), _) => match self.value(place) {
                Some(Found::Boolean(value)) => Some(value),
                _ => None,
            },
            (_, Force::No, Some(share)) if share != 0 && share != Share::ALL.millionths() => None,
            (_, Force::No, Some(share)) => Some(share != 0),
            _ => Some(false),
        })
    }

    /// Decides on a key that no document has, if a variable says something about it. By `targetingKey`.
    #[must_use]
    pub fn decide_alone(&self, key: &str, context: Context<'_>) -> Option<(Decision, Option<Found<'_>>)> {
        if self.extras.is_empty() {
            return None;
        }
        let name = suffix(key);
        let found = self.extras.get(&name)?;
        let (no, yes) = (Some(Found::Boolean(false)), Some(Found::Boolean(true)));
        let decided = |by, reason, bucket| Decision { bucket, ..Decision::of(Served::False, reason, Some(by)) };
        if found.is_killed {
            return Some((decided(Source::Kill, Reason::Disabled, None), no));
        }
        Some(match (found.force, found.share) {
            (Force::Value(place), _) => (
                Decision { served: Served::Forced(place), ..decided(Source::Env, Reason::Static, None) },
                self.value(place),
            ),
            (Force::No, Some(share)) => {
                let mut digits = Digits::default();
                let id = context.at(0).id(&mut digits);
                let bucket = id.map(|id| enrol_bucket(Prefix::new(&name, ENROL_SEED).hash(id)));
                let is_in = share == Share::ALL.millionths() || bucket.is_some_and(|bucket| bucket < share);
                let reason = if is_in { Reason::Split } else { Reason::Default };
                (decided(Source::Env, reason, bucket), if is_in { yes } else { no })
            }
            _ => (decided(Source::Env, Reason::Disabled, None), no),
        })
    }
}

fn held(value: &Value) -> Held {
    match value {
        Value::Bool(value) => Held::Bool(*value),
        Value::Number(number) => Held::Number(number.as_f64().unwrap_or_default()),
        Value::String(text) => Held::Text(text.clone()),
        other => Held::Json(other.to_string()),
    }
}

/// Whole percent from 0 to 100, in digits alone.
fn rollout(value: &str, before: Override, known: Option<(FlagIndex, &FlagRow)>, at: &mut Finder) -> Override {
    let is_number = (1..=3).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit());
    let share = if is_number { value.parse().ok().and_then(Share::of_percent) } else { None };
    match share {
        None => at.fault("this is a whole number from 0 to 100, in percent"),
        Some(_) if known.is_some_and(|(_, row)| row.rollout_rule == NONE && row.on == NONE) => {
            at.fault("this flag has no rule with a rollout, and is not boolean: there is no share to change");
        }
        Some(share) => return Override { share: Some(share.millionths()), ..before },
    }
    before
}
