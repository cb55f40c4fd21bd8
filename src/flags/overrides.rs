//! What is said about flags beside their document: by environment variables, and by the order that turns flags off.
//!
//! `FEATURE_X=false` turns a flag off, whatever else is said. `FEATURE_X=true`, `=<variant>` and `=<json>` say what it is for
//! everybody; `ROLLOUT_X=25` how many have it. A variable for a flag that is not there makes one that is known by it alone, and
//! what it says is text where it is nothing else: an environment has variables of others, which are nothing against definitions.

use serde_json::Value;

use super::bucket::{ENROL_SEED, Prefix, Share, enrol_bucket};
use super::context::{Context, Digits};
use super::decision::{Decision, Reason, Served, Source};
use super::fault::{FAULTS_MAX, Fault, quoted};
use super::layers;
use super::model::{Kill, VALUE_MAX};
use super::table::{FlagIndex, FlagRow, Found, Kind, NONE, Table, flag_bits};
use super::variables::{FEATURE, ROLLOUT, is_suffix, suffix};
use crate::orders::json;

/// Most flags that variables alone make.
pub const EXTRAS_MAX: usize = 1_000;
/// Most values that are held before variables of flags that are not there are left out: the others have room then.
const VALUES_ALONE_MAX: usize = 2 * EXTRAS_MAX;

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

/// A value that a variable says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Held {
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
    /// Flags that are not in the table, in the order of what is behind the prefix.
    extras: Vec<(String, Override)>,
}

impl Overrides {
    /// Nothing is said.
    pub const NONE: Self = Self { rows: Vec::new(), values: Vec::new(), extras: Vec::new() };

    /// Reads variables, those that do not begin with `FEATURE_` or `ROLLOUT_` aside, and joins them with what is turned off. Those
    /// of layers count where the table has not their flag.
    ///
    /// # Errors
    ///
    /// Each variable of a flag of the table, or of a layer, that cannot be taken, by its name. Values are not repeated.
    pub fn read<'v>(
        table: &Table,
        variables: impl IntoIterator<Item = (&'v str, &'v str)>,
        kill: &Kill,
    ) -> Result<Self, Vec<Fault>> {
        let held = |value: &'v str| move || json::read(value).ok().map(|value| held(&value));
        let variables = variables.into_iter().map(|(name, value)| (name, value, held(value)));
        match kill {
            Kill::All => Self::read_with(table, variables, None),
            Kill::These(keys) => Self::read_with(table, variables, Some(&mut keys.iter().map(String::as_str))),
        }
    }

    /// The same, where a variable brings what its value is as JSON, if it is any. Without a list of keys all flags are killed.
    pub(super) fn read_with<'v, J: FnOnce() -> Option<Held>>(
        table: &Table,
        variables: impl Iterator<Item = (&'v str, &'v str, J)>,
        kill: Option<&mut dyn Iterator<Item = &'v str>>,
    ) -> Result<Self, Vec<Fault>> {
        let mut found = Self::NONE;
        let mut faults = Vec::new();
        for (name, value, json) in variables {
            let (is_rollout, suffix) = match (name.strip_prefix(FEATURE), name.strip_prefix(ROLLOUT)) {
                (Some(suffix), _) => (false, suffix),
                (_, Some(suffix)) => (true, suffix),
                (None, None) => continue,
            };
            let known = table.flags.iter().zip(table.all()).find(|(row, _)| is_suffix(table.part(row.name), suffix));
            let known = known.map(|(row, flag)| (flag, row));
            // A layer's variables are its defaults: what a document says is better, and `false` leaves it to the share.
            let is_layer = layers::is_setting(name);
            let leaves_to_share = !is_rollout && matches!(value, "false" | "0") && !layers::is_on_by_default(suffix);
            if is_layer && (known.is_some() || leaves_to_share) {
                continue;
            }
            let before = match known {
                Some((flag, _)) => found.of(flag),
                None => found.extra(suffix).unwrap_or_default(),
            };
            let after = match is_rollout {
                true => rollout(value, before, known),
                false if is_layer && known.is_none() && !matches!(value, "true" | "1" | "false" | "0") => {
                    Err("this is true or false".to_owned())
                }
                false => found.feature((value, json), before, table, known),
            };
            let is_full = suffix.is_empty() || found.extras.len() >= EXTRAS_MAX && found.extra(suffix).is_none();
            match (after, known) {
                // Whose it is nobody knows: one that cannot be taken, or is one too many, says nothing.
                (after, None) if !is_layer && (is_full || after.is_err()) => {}
                (Ok(after), Some((flag, _))) => _ = found.row(table, flag).map(|row| *row = after),
                (Ok(after), None) => found.add_extra(suffix, after),
                (Err(problem), _) if faults.len() < FAULTS_MAX => {
                    faults.push(Fault { path: quoted(name).to_owned(), problem })
                }
                (Err(_), _) => {}
            }
        }
        let Some(kill) = kill else {
            table.all().for_each(|flag| _ = found.row(table, flag).map(|row| row.is_killed = true));
            found.extras.iter_mut().for_each(|(_, extra)| extra.is_killed = true);
            return if faults.is_empty() { Ok(found) } else { Err(faults) };
        };
        for key in kill {
            if let Some(row) = table.find(key).and_then(|flag| found.row(table, flag)) {
                row.is_killed = true;
            }
            if let Ok(place) = found.place_of_extra(&suffix(key))
                && let Some((_, extra)) = found.extras.get_mut(place)
            {
                extra.is_killed = true;
            }
        }
        if faults.is_empty() { Ok(found) } else { Err(faults) }
    }

    /// What is said about a flag, to change it.
    fn row(&mut self, table: &Table, flag: FlagIndex) -> Option<&mut Override> {
        if self.rows.is_empty() {
            self.rows.resize(table.flags.len(), Override::default());
        }
        self.rows.get_mut(flag.0 as usize)
    }

    fn place_of_extra(&self, suffix: &str) -> Result<usize, usize> {
        self.extras.binary_search_by(|(name, _)| name.as_str().cmp(suffix))
    }

    fn extra(&self, suffix: &str) -> Option<Override> {
        self.extras.get(self.place_of_extra(suffix).ok()?).map(|(_, extra)| *extra)
    }

    fn add_extra(&mut self, suffix: &str, after: Override) {
        match self.place_of_extra(suffix) {
            Ok(place) => _ = self.extras.get_mut(place).map(|(_, extra)| *extra = after),
            Err(place) => self.extras.insert(place, (suffix.to_owned(), after)),
        }
    }

    fn feature(
        &mut self,
        (value, json): (&str, impl FnOnce() -> Option<Held>),
        before: Override,
        table: &Table,
        known: Option<(FlagIndex, &FlagRow)>,
    ) -> Result<Override, String> {
        let with = |force| Ok(Override { force, ..before });
        let is_boolean = known.is_none_or(|(_, row)| row.bits & flag_bits::BOOLEAN != 0);
        match value {
            "false" => return with(Force::Off),
            "0" if is_boolean => return with(Force::Off),
            "true" | "1" if is_boolean => {
                let on = known.map_or(NONE, |(_, row)| row.on);
                return if on == NONE { self.held(Held::Bool(true), before) } else { with(Force::Variant(on)) };
            }
            _ => {}
        }
        let Some((flag, row)) = known else {
            if value.len() > VALUE_MAX || self.values.len() >= VALUES_ALONE_MAX {
                return Err("this is too much for a flag that is not there".to_owned());
            }
            return self.held(json().unwrap_or_else(|| Held::Text(value.to_owned())), before);
        };
        if let Some(place) = table.variants(flag).position(|name| name == value) {
            let variant = u16::try_from(place).unwrap_or(NONE);
            let is_false =
                row.bits & flag_bits::BOOLEAN != 0 && table.value(flag, variant) == Some(Found::Boolean(false));
            return with(if is_false { Force::Off } else { Force::Variant(variant) });
        }
        let is_kind = |kind| row.variants.of(&table.variants).iter().any(|variant| variant.kind == kind);
        match json() {
            Some(held) if value.len() <= VALUE_MAX && is_kind(held.kind()) => self.held(held, before),
            _ => {
                let mut problem = "this is true, false, one of the variants ".to_owned();
                for (place, name) in table.variants(flag).enumerate() {
                    problem.push_str(if place == 0 { "" } else { ", " });
                    problem.push_str(quoted(name));
                }
                problem.push_str(", or JSON like their values");
                Err(problem)
            }
        }
    }

    fn held(&mut self, value: Held, before: Override) -> Result<Override, String> {
        match u16::try_from(self.values.len()) {
            Ok(place) if place < NONE => {
                self.values.push(value);
                Ok(Override { force: Force::Value(place), ..before })
            }
            _ => Err("there are too many variables".to_owned()),
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
        let found = self.extra(&suffix(key))?;
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
        let found = self.extra(&name)?;
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

impl Held {
    const fn kind(&self) -> Kind {
        match self {
            Self::Bool(_) => Kind::Boolean,
            Self::Number(_) => Kind::Number,
            Self::Text(_) => Kind::Text,
            Self::Json(_) => Kind::Json,
        }
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
fn rollout(value: &str, before: Override, known: Option<(FlagIndex, &FlagRow)>) -> Result<Override, String> {
    let is_number = (1..=3).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit());
    let percent = value.bytes().fold(0, |sum: u32, digit| sum.wrapping_mul(10).wrapping_add(u32::from(digit & 15)));
    match Share::of_percent(percent).filter(|_| is_number) {
        None => Err("this is a whole number from 0 to 100, in percent".to_owned()),
        Some(_) if known.is_some_and(|(_, row)| row.rollout_rule == NONE && row.on == NONE) => {
            Err("this flag has no rule with a rollout, and is not boolean: there is no share to change".to_owned())
        }
        Some(share) => Ok(Override { share: Some(share.millionths()), ..before }),
    }
}
