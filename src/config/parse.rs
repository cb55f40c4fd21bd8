//! Raw settings to [`Config`], all problems at once.
//!
//! The options win over what is given from elsewhere, the first of what is given over the rest, and that over the
//! default. Variables that differ are worth a warning; two names of one option that differ are a problem.

mod policies;

use std::fmt;

use serde_json::Value;

use super::Config;
use super::keys::{ALIASES, Default, KEYS, Key};
use super::nearest::nearest;
use super::raw::{Entry, Given, OVER, Raw};
use super::value::{expected, json, shown, unit, usable};
use crate::policy::tier::Tier;

/// Longer settings are refused unread, in bytes.
pub(super) const BYTES_MAX: usize = 65_536;

/// Before the name of a tier that gave a value.
const BY_TIER: &str = "tier ";

/// Settings that cannot be used, with every reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "invalid configuration: {}", self.0.join("; "))
    }
}

impl std::error::Error for Problems {}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// An option, in code or changed while it runs.
    Option,
    /// A variable, preset or tier of this name.
    Given(String),
}

impl Source {
    /// Whether it is a default, of the list or of a tier.
    #[must_use]
    pub fn is_derived(&self) -> bool {
        match self {
            Self::Default => true,
            Self::Option => false,
            Self::Given(by) => by.starts_with(BY_TIER),
        }
    }
}

/// One setting with its value in force.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Which.
    pub key: &'static Key,
    /// Its value as a number; see `json` in `value`.
    pub value: f64,
    /// Whence.
    pub source: Source,
}

/// Settings that can be used.
#[derive(Clone, Debug)]
pub struct Checked {
    /// As the engine takes them.
    pub config: Config,
    /// All of them, in the order of the list.
    pub settings: Vec<Setting>,
    /// What deserves a look and does no harm.
    pub warnings: Vec<String>,
}

/// Reads settings from JSON text, as [`Raw::from_json`] takes them.
///
/// # Errors
///
/// [`Problems`] as [`check`] finds them, or that it is no JSON object of at most 65,536 bytes.
pub fn parse(text: &str) -> Result<Config, Problems> {
    check_text(text).map(|checked| checked.config)
}

/// The same, with every setting's value and source.
///
/// # Errors
///
/// As [`parse`].
pub fn check_text(text: &str) -> Result<Checked, Problems> {
    let one = |problem: String| Problems(vec![problem]);
    if text.len() > BYTES_MAX {
        return Err(one("settings are longer than 65,536 bytes".to_owned()));
    }
    let json: Value = serde_json::from_str(text).map_err(|error| one(format!("not JSON: {error}")))?;
    check(&Raw::from_json(&json).ok_or_else(|| one("settings must be an object".to_owned()))?)
}

/// Checks settings, all at once.
///
/// # Errors
///
/// [`Problems`] with the path, what was found and what was expected, for each setting that is unknown, of the wrong
/// type or out of range. Values are shown up to 40 characters, those of variables up to 20, secrets never.
pub fn check(raw: &Raw<'_>) -> Result<Checked, Problems> {
    let mut reader =
        Reader { raw, settings: Vec::with_capacity(KEYS.len()), problems: Vec::new(), warnings: Vec::new() };
    reader.refuse_unknown();
    reader.settle();
    let config = reader.config();
    let Reader { settings, problems, warnings, .. } = reader;
    if problems.is_empty() { Ok(Checked { config, settings, warnings }) } else { Err(Problems(problems)) }
}

struct Reader<'a> {
    raw: &'a Raw<'a>,
    settings: Vec<Setting>,
    problems: Vec<String>,
    warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    /// Whether anybody set it.
    fn is_set(&self, path: &str) -> bool {
        self.settings.iter().any(|setting| setting.key.path == path && setting.source != Source::Default)
    }

    fn is_by_tier(&self, path: &str) -> bool {
        let mut own = self.settings.iter().filter(|setting| setting.key.path == path);
        own.any(|setting| setting.source != Source::Default && setting.source.is_derived())
    }

    fn refuse_unknown(&mut self) {
        for Entry { group, name, given, .. } in self.raw.entries.iter().filter(|entry| entry.is_option()) {
            if !name.is_empty() {
                let path = [group, ".", name].concat();
                if is_group(group) && !is_known(&path) {
                    self.unknown(&path, "no such setting", |path| path);
                }
            } else if (group.contains('.') || !is_known(group)) && (*given != Given::Group || !is_group(group)) {
                self.unknown(group, "no such group of settings, or not an object", group_of);
            }
        }
    }

    #[inline(never)]
    fn unknown(&mut self, path: &str, what: &str, part: fn(&'static str) -> &'static str) {
        let shown: String = path.chars().take(60).collect();
        let mut problem = [&shown, ": ", what].concat();
        if let Some(nearest) =
            nearest(path, &mut KEYS.iter().map(|key| part(key.path))).filter(|nearest| *nearest != path)
        {
            problem.push_str("; did you mean ");
            problem.push_str(nearest);
            problem.push('?');
        }
        self.problems.push(problem);
    }

    fn whole(&mut self, path: &str) -> u64 {
        self.value(path) as u64
    }

    fn weight(&mut self, path: &str) -> u16 {
        self.value(path) as u16
    }

    fn number(&mut self, path: &str) -> f64 {
        self.value(path)
    }

    fn switch(&mut self, path: &str) -> bool {
        self.value(path) != 0.0
    }

    #[inline(never)]
    fn value(&mut self, path: &str) -> f64 {
        self.settings.iter().find(|setting| setting.key.path == path).map_or(0.0, |setting| setting.value)
    }

    /// Finds the value of every setting.
    fn settle(&mut self) {
        for key in &KEYS {
            let (value, source) = match self.option(key) {
                Some(value) => (value, Source::Option),
                None => self
                    .given(key)
                    .map_or((f64::NAN, Source::Default), |(value, by)| (value, Source::Given(by.to_owned()))),
            };
            self.settings.push(Setting { key, value, source });
        }
        let tier = Tier::from_number(self.whole("tier"));
        // Defaults come last: one of them may be the value of another setting.
        for at in 0..self.settings.len() {
            let Some(Setting { key, source: Source::Default, .. }) = self.settings.get(at) else { continue };
            let key: &'static Key = key;
            let value = self.default_of(key);
            let preset = tier.and_then(|tier| tier.preset(key.path, value));
            if let Some(setting) = self.settings.get_mut(at) {
                setting.value = preset.unwrap_or(value);
                if let (Some(_), Some(tier)) = (preset, tier) {
                    setting.source = Source::Given([BY_TIER, tier.limits().name].concat());
                }
            }
        }
    }

    /// What the options say: those that were changed while it runs win.
    fn option(&mut self, key: &'static Key) -> Option<f64> {
        self.option_by(OVER, key).or_else(|| self.option_by("", key))
    }

    /// What the options of one kind say under any of the setting's names.
    #[inline(never)]
    fn option_by(&mut self, by: &str, key: &'static Key) -> Option<f64> {
        let mut value = self.read(by, key).map(|value| (key.path, value));
        for alias in ALIASES.iter().filter(|alias| alias.of == key.path) {
            let other = self.read(by, &alias.takes(key)).map(|value| alias.to_setting(value));
            let Some(other) = other else { continue };
            match value {
                Some((name, first)) if first != other => {
                    let problem = differ(key, (name, first), (alias.path, other), "are two names of one setting and");
                    self.problems.push(problem);
                }
                Some(_) => {}
                None => value = Some((alias.path, other)),
            }
        }
        value.map(|(_, value)| value)
    }

    /// What is set under this one name, if it is set and can be used.
    #[inline(never)]
    fn read(&mut self, by: &str, key: &Key) -> Option<f64> {
        let found = self.raw.entries.iter().find(|entry| entry.by == by && entry.is_at(key.path))?;
        let value = usable(key, found);
        if value.is_none() {
            self.problems.push([key.path, " must be ", &expected(key), ", got ", shown(key, found)].concat());
        }
        value
    }

    /// The first of what is given from elsewhere.
    fn given(&mut self, key: &'static Key) -> Option<(f64, &'a str)> {
        let mut value: Option<(f64, &str)> = None;
        for entry in self.raw.entries.iter().filter(|entry| !entry.is_option() && entry.is_at(key.path)) {
            let by = entry.by;
            match (value, usable(key, entry)) {
                (_, None) => {
                    let must = [by, " (", key.path, ") must be ", &expected(key), ", got ", shown(key, entry)];
                    self.problems.push(must.concat());
                }
                (None, Some(found)) => value = Some((found, by)),
                // A preset says what holds where nothing else is said.
                (Some((first, winner)), Some(found)) if first != found && !by.contains(' ') => {
                    let warning = differ(key, (winner, first), (by, found), "set one setting and");
                    self.warnings.push([&warning, "; ", winner, " holds"].concat());
                }
                (Some(_), Some(_)) => {}
            }
        }
        value
    }

    fn default_of(&mut self, key: &Key) -> f64 {
        match key.default {
            Default::Fixed(value) => value,
            Default::ByEnvironment { production, .. } if self.is_production() => production,
            Default::ByEnvironment { development, .. } => development,
            Default::SameAs(path) => self.value(path),
        }
    }

    fn is_production(&mut self) -> bool {
        if self.is_set("environment") { self.value("environment") == 0.0 } else { self.raw.host.is_production }
    }
}

#[inline(never)]
fn is_known(path: &str) -> bool {
    KEYS.iter().any(|key| key.path == path) || ALIASES.iter().any(|alias| alias.path == path)
}

fn is_group(group: &str) -> bool {
    KEYS.iter().any(|key| group_of(key.path) == group)
}

fn group_of(path: &'static str) -> &'static str {
    path.split_once('.').map_or(path, |(group, _)| group)
}

fn differ(key: &Key, first: (&str, f64), other: (&str, f64), relation: &str) -> String {
    let (one, two) = (json(key, first.1), json(key, other.1));
    [first.0, " and ", other.0, " ", relation, " differ: ", &one, " and ", &two, &unit(key)].concat()
}

fn small(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
