//! The one list of settings: name, unit, range, default, help.
//!
//! The parser, the generated reference (`docs/config.md`), the list for command lines and dashboards, and the TypeScript
//! types are made from it, or checked against it. Each group of settings has a file, which also holds the names that
//! other libraries gave them.
//!
//! Texts for people are left out of the core of the npm package, where every byte is loaded by every isolate.

pub mod breaker;
pub mod cache;
pub mod cluster;
pub mod flags;
pub mod host;
pub mod pool;
pub mod retry;
pub mod sql;
pub mod sqlite;
pub mod state;
pub mod tiers;

/// The npm package, in [`Key::readers`].
pub const NPM: u8 = 1;
/// The deployable Worker, in [`Key::readers`].
pub const WORKER: u8 = 2;

/// What a setting holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// A whole number between two bounds, both included. In milliseconds, `"5s"` is accepted as well.
    Whole {
        /// Smallest.
        min: u64,
        /// Greatest.
        max: u64,
    },
    /// A number between two bounds, both included.
    Number {
        /// Smallest.
        min: f64,
        /// Greatest.
        max: f64,
    },
    /// `true` or `false`.
    Switch,
    /// One of these words. Its value is its place in the list.
    Choice(&'static [&'static str]),
    /// A text that is never shown. Its value says whether there is one.
    Secret,
}

/// What a setting is if nobody sets it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Default {
    /// The same everywhere.
    Fixed(f64),
    /// One value in production, another elsewhere.
    ByEnvironment {
        /// In production.
        production: f64,
        /// Elsewhere.
        development: f64,
    },
    /// The value of another setting.
    SameAs(&'static str),
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Dotted path, as users write it.
    pub path: &'static str,
    /// Unit, empty for plain numbers.
    pub unit: &'static str,
    /// Range.
    pub shape: Shape,
    /// Default.
    pub default: Default,
    /// Whether it can be changed while the engine runs.
    pub is_live: bool,
    /// Whether it says where this runs, and so is never exported.
    pub is_of_place: bool,
    /// Who reads it: [`NPM`], [`WORKER`], both or none. Where nothing does, it is checked, kept, and listed as ignored.
    pub readers: u8,
    /// One sentence.
    #[cfg(not(feature = "bindings"))]
    pub help: &'static str,
}

impl Key {
    const fn new(
        path: &'static str,
        unit: &'static str,
        shape: Shape,
        default: Default,
        #[cfg_attr(feature = "bindings", expect(unused_variables, reason = "texts for people are left out"))]
        help: &'static str,
    ) -> Self {
        Self {
            path,
            unit,
            shape,
            default,
            is_live: true,
            is_of_place: false,
            readers: NPM | WORKER,
            #[cfg(not(feature = "bindings"))]
            help,
        }
    }

    /// Only a new client, or a new isolate of the Worker, takes another value.
    #[must_use]
    pub const fn restart(self) -> Self {
        Self { is_live: false, ..self }
    }

    /// Says where this runs: never exported, and fixed.
    #[must_use]
    pub const fn of_place(self) -> Self {
        Self { is_live: false, is_of_place: true, ..self }
    }

    /// Checked and kept, and read by nothing in this release.
    #[must_use]
    pub const fn unread(self) -> Self {
        Self { readers: 0, ..self }
    }

    /// Read by one of the two hosts, and ignored by the other.
    #[must_use]
    pub const fn only(self, reader: u8) -> Self {
        Self { readers: reader, ..self }
    }

    /// Whether the host that this core is built for reads it.
    #[must_use]
    pub const fn is_read_here(&self) -> bool {
        let here = if cfg!(feature = "bindings") { NPM } else { WORKER };
        self.readers & here != 0
    }
}

/// Another name for a setting, as other libraries call it.
#[derive(Clone, Copy, Debug)]
pub struct Alias {
    /// Dotted path, as users write it.
    pub path: &'static str,
    /// Path of the setting.
    pub of: &'static str,
    /// What it is counted in.
    pub scale: Scale,
}

/// What a value under another name is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// The setting's own unit.
    Same,
    /// Seconds, fractions included, where the setting takes milliseconds.
    Seconds,
    /// Percent, 0 to 100, where the setting takes a share from 0 to 1.
    Percent,
}

impl Scale {
    /// How many of the setting's own units one of these is.
    const fn factor(self) -> f64 {
        match self {
            Self::Same => 1.0,
            Self::Seconds => 1_000.0,
            Self::Percent => 0.01,
        }
    }

    const fn unit(self, own: &'static str) -> &'static str {
        match self {
            Self::Same => own,
            Self::Seconds => "s",
            Self::Percent => "%",
        }
    }
}

impl Alias {
    /// What `key`, whose other name this is, takes under this name.
    #[must_use]
    pub const fn takes(&self, key: &Key) -> Key {
        let factor = self.scale.factor();
        let shape = match (key.shape, self.scale) {
            (shape, Scale::Same) => shape,
            (Shape::Whole { min, max }, _) => Shape::Number { min: min as f64 / factor, max: max as f64 / factor },
            (Shape::Number { min, max }, _) => Shape::Number { min: min / factor, max: max / factor },
            (shape, _) => shape,
        };
        Key { path: self.path, unit: self.scale.unit(key.unit), shape, ..*key }
    }

    /// A value under this name in the setting's own unit, to the millisecond.
    #[must_use]
    pub fn to_setting(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Same => value,
            Scale::Seconds => (value * self.scale.factor()).round(),
            Scale::Percent => value * self.scale.factor(),
        }
    }
}

const fn alias(path: &'static str, of: &'static str, scale: Scale) -> Alias {
    Alias { path, of, scale }
}

const DAY_MS: u64 = 86_400_000;

const fn ms(path: &'static str, default: Default, help: &'static str) -> Key {
    Key::new(path, "ms", Shape::Whole { min: 0, max: DAY_MS }, default, help)
}

const fn span(path: &'static str, min: u64, default: u64, help: &'static str) -> Key {
    Key::new(path, "ms", Shape::Whole { min, max: DAY_MS }, Default::Fixed(default as f64), help)
}

const fn count(path: &'static str, min: u64, max: u64, default: Default, help: &'static str) -> Key {
    Key::new(path, "", Shape::Whole { min, max }, default, help)
}

const fn weight(path: &'static str, help: &'static str) -> Key {
    Key::new(path, "%", Shape::Whole { min: 0, max: 10_000 }, Default::Fixed(100.0), help)
}

const fn number(path: &'static str, min: f64, max: f64, default: f64, help: &'static str) -> Key {
    Key::new(path, "", Shape::Number { min, max }, Default::Fixed(default), help)
}

const fn switch(path: &'static str, default: bool, help: &'static str) -> Key {
    Key::new(path, "", Shape::Switch, Default::Fixed(default as u8 as f64), help)
}

/// `default` is a place in `words`.
const fn choice(path: &'static str, words: &'static [&'static str], default: usize, help: &'static str) -> Key {
    Key::new(path, "", Shape::Choice(words), Default::Fixed(default as f64), help)
}

const fn by_environment(production: f64, development: f64) -> Default {
    Default::ByEnvironment { production, development }
}

/// Every group of settings.
pub const GROUPS: &[&[Key]] = &[
    pool::KEYS,
    breaker::KEYS,
    retry::KEYS,
    state::KEYS,
    cluster::KEYS,
    cache::KEYS,
    sql::KEYS,
    sqlite::KEYS,
    tiers::KEYS,
    host::KEYS,
    flags::KEYS,
];

/// Every group's other names.
pub const ALIAS_GROUPS: &[&[Alias]] = &[
    pool::ALIASES,
    breaker::ALIASES,
    retry::ALIASES,
    state::ALIASES,
    cluster::ALIASES,
    cache::ALIASES,
    sql::ALIASES,
    sqlite::ALIASES,
    tiers::ALIASES,
    host::ALIASES,
    flags::ALIASES,
];

/// Every setting.
pub static KEYS: [Key; count_of(GROUPS)] = {
    let mut all = [GROUPS[0][0]; count_of(GROUPS)];
    let (mut group, mut next) = (0, 0);
    while group < GROUPS.len() {
        let mut at = 0;
        while at < GROUPS[group].len() {
            all[next] = GROUPS[group][at];
            next += 1;
            at += 1;
        }
        group += 1;
    }
    all
};

/// Every other name.
pub static ALIASES: [Alias; count_of(ALIAS_GROUPS)] = {
    let mut all = [breaker::ALIASES[0]; count_of(ALIAS_GROUPS)];
    let (mut group, mut next) = (0, 0);
    while group < ALIAS_GROUPS.len() {
        let mut at = 0;
        while at < ALIAS_GROUPS[group].len() {
            all[next] = ALIAS_GROUPS[group][at];
            next += 1;
            at += 1;
        }
        group += 1;
    }
    all
};

const fn count_of<T>(groups: &[&[T]]) -> usize {
    let (mut group, mut count) = (0, 0);
    while group < groups.len() {
        count += groups[group].len();
        group += 1;
    }
    count
}
