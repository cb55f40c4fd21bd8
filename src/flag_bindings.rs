//! What JavaScript may call of the flags: a wasm module of its own, for those who evaluate flags. Conversion only.
//!
//! Definitions cross as text or as a snapshot, once. Attributes of somebody cross once for as many evaluations as one likes:
//! JavaScript writes them into [`FlagCore::room`] and enters them. A decision is one number ([`decision`]); values stay where
//! they are known, by their place.

use serde_json::{Map, Value, json};
use wasm_bindgen::prelude::*;

use crate::clock::Instant;
use crate::flags::context::TEXT_MAX;
use crate::flags::model::{ATTRIBUTES_MAX, Kill};
use crate::flags::moves::who_moves;
use crate::flags::{
    Context, Decision, ErrorCode, Fault, FlagIndex, FlagSet, Flags, Moment, Overrides, Reason, Served, Source, Table,
    Val, explain,
};
use crate::orders::json;
use crate::rng::{Rng, SplitMix};

/// A decision as a number.
mod decision {
    /// The place of a variant or of a value in the lowest bits; all of them where nothing is served.
    pub(super) const PLACE_BITS: u32 = 16;
    /// What is served: a variant, a value of a variable, `false`, nothing.
    pub(super) const SERVED: u32 = 16;
    /// The reason, by its place in `REASONS`.
    pub(super) const REASON: u32 = 18;
    /// The reason, if the definitions were not stale.
    pub(super) const UNDERLYING: u32 = 21;
    /// What went wrong, by its place in `ERRORS` from 1.
    pub(super) const ERROR: u32 = 24;
    /// Who said so, by its place in `SOURCES` from 1.
    pub(super) const BY: u32 = 28;
}

/// In the order that numbers have; `js/src/flags/decision.ts` has the same.
const REASONS: [Reason; 8] = [
    Reason::Static,
    Reason::TargetingMatch,
    Reason::Split,
    Reason::Default,
    Reason::Disabled,
    Reason::Stale,
    Reason::Cached,
    Reason::Error,
];
const ERRORS: [ErrorCode; 8] = [
    ErrorCode::ProviderNotReady,
    ErrorCode::FlagNotFound,
    ErrorCode::ParseError,
    ErrorCode::TypeMismatch,
    ErrorCode::TargetingKeyMissing,
    ErrorCode::InvalidContext,
    ErrorCode::ProviderFatal,
    ErrorCode::General,
];
const SOURCES: [Source; 3] = [Source::Kill, Source::Flag, Source::Env];

/// How an attribute begins in the room.
mod tag {
    pub(super) const MISSING: u8 = 0;
    /// Four bytes of length follow, the least first, and so many of UTF-8.
    pub(super) const TEXT: u8 = 1;
    /// Eight bytes of a double follow, the least first.
    pub(super) const NUMBER: u8 = 2;
    pub(super) const FALSE: u8 = 3;
    pub(super) const TRUE: u8 = 4;
}

/// An attribute as it was entered.
#[derive(Clone, Copy, Debug)]
enum Entered {
    Missing,
    /// Where it lies in the text.
    Text {
        start: usize,
        end: usize,
    },
    Number(f64),
    Bool(bool),
}

/// The memory of this instance, for a view on the room and on rows of decisions.
#[wasm_bindgen(js_name = wasmMemory, unchecked_return_type = "WebAssembly.Memory")]
#[must_use]
pub fn wasm_memory() -> JsValue {
    wasm_bindgen::memory()
}

/// Flags of one isolate, and who is asked about.
#[wasm_bindgen(js_name = FlagCore)]
#[derive(Debug)]
pub struct FlagCore {
    flags: Flags,
    is_ready: bool,
    confirmed_at: Instant,
    now: Instant,
    rng: SplitMix,
    room: Vec<u8>,
    text: String,
    entered: Vec<Entered>,
    is_usable: bool,
    row: Vec<u32>,
    last: Option<(FlagIndex, Decision)>,
}

#[wasm_bindgen(js_class = FlagCore)]
impl FlagCore {
    /// Nothing is loaded.
    #[wasm_bindgen(constructor)]
    #[must_use]
    #[expect(clippy::new_without_default, reason = "JavaScript has no defaults")]
    pub fn new() -> Self {
        Self {
            flags: Flags::default(),
            is_ready: false,
            confirmed_at: Instant(0),
            now: Instant(0),
            rng: SplitMix::new(0),
            room: Vec::new(),
            text: String::new(),
            entered: Vec::new(),
            is_usable: true,
            row: Vec::new(),
            last: None,
        }
    }

    /// Gives chance to flags that serve by it. Platforms have none before the first request.
    pub fn seed(&mut self, seed: f64) {
        self.rng = SplitMix::new(seed.to_bits());
    }

    /// Takes a document, the text of its JSON, with what variables and the list of kills say about it; all of it, or nothing.
    /// Returns warnings, as a list of texts in JSON. Throws all that is wrong, a line each.
    pub fn load(&mut self, document: &str, variables: &str, kill: &str) -> Result<String, JsError> {
        let (set, warnings) = FlagSet::parse_with_warnings(document).map_err(|faults| thrown(&faults))?;
        let table = set.compile().map_err(|faults| thrown(&faults))?;
        self.take(table, variables, kill)?;
        Ok(Value::from_iter(warnings.iter().map(ToString::to_string)).to_string())
    }

    /// Takes a snapshot instead. Throws why it is refused.
    #[wasm_bindgen(js_name = loadSnapshot)]
    pub fn load_snapshot(&mut self, bytes: &[u8], variables: &str, kill: &str) -> Result<(), JsError> {
        let table = Table::decode(bytes).map_err(|refusal| JsError::new(&refusal.to_string()))?;
        self.take(table, variables, kill)
    }

    /// What is loaded as a snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        self.flags.table().encode()
    }

    /// Replaces what variables and the list of kills say: nothing is compiled for it.
    #[wasm_bindgen(js_name = overrideBy)]
    pub fn override_by(&mut self, variables: &str, kill: &str) -> Result<(), JsError> {
        let overrides = overrides_of(self.flags.table(), variables, kill)?;
        self.flags.override_by(overrides);
        self.last = None;
        Ok(())
    }

    /// Says when the definitions were last known to be current, in milliseconds since the epoch.
    #[wasm_bindgen(js_name = confirmedAt)]
    pub fn confirmed_at(&mut self, #[wasm_bindgen(js_name = atMs)] at_ms: f64) {
        self.confirmed_at = Instant::from_host(at_ms).unwrap_or_default();
    }

    /// The edition that its document says.
    #[must_use]
    pub fn revision(&self) -> f64 {
        self.flags.table().revision() as f64
    }

    /// The attributes that flags ask for, in the order in which they are entered, as JSON.
    #[must_use]
    pub fn attributes(&self) -> String {
        Value::from_iter(self.flags.table().attributes()).to_string()
    }

    /// The keys of all flags, in order, as JSON.
    #[must_use]
    pub fn keys(&self) -> String {
        let table = self.flags.table();
        Value::from_iter(table.all().map(|flag| table.key(flag))).to_string()
    }

    /// The place of a flag; -1 if there is none of that key.
    #[must_use]
    pub fn find(&self, key: &str) -> i32 {
        self.flags.table().find(key).and_then(|flag| i32::try_from(flag.place()).ok()).unwrap_or(-1)
    }

    /// What a boolean flag is for everybody: 0 or 1, -1 if that differs, -2 if there is no such flag.
    #[must_use]
    pub fn constant(&self, key: &str) -> i32 {
        self.flags.constant_boolean(key).map_or(-2, |found| found.map_or(-1, i32::from))
    }

    /// The key that a mistyped one was probably meant to be; empty if none is near.
    #[must_use]
    pub fn nearest(&self, key: &str) -> String {
        self.flags.table().nearest(key).unwrap_or_default().to_owned()
    }

    /// The variants of a flag as a list of `[name, value]`, by place, as JSON.
    #[must_use]
    pub fn variants(&self, place: u32) -> String {
        let table = self.flags.table();
        let Some(flag) = self.flag(place) else { return "[]".to_owned() };
        let value = |at: usize| u16::try_from(at).ok().and_then(|at| table.value(flag, at)).map(explain::value);
        Value::from_iter(table.variants(flag).enumerate().map(|(at, name)| json!([name, value(at)]))).to_string()
    }

    /// Where attributes are written, in bytes, with room for `length` of them. It moves only here.
    pub fn room(&mut self, length: usize) -> *const u8 {
        if self.room.len() < length {
            self.room.resize(length, 0);
        }
        self.room.as_ptr()
    }

    /// Enters somebody: attributes that were written into the first `length` bytes of the room, and the time, in milliseconds
    /// since the epoch. Returns whether they could be taken; else every flag is an error.
    pub fn enter(&mut self, length: usize, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> bool {
        self.now = Instant::from_host(now_ms).unwrap_or_default();
        self.is_usable = self.read(length).is_some();
        if !self.is_usable {
            self.entered.clear();
        }
        self.is_usable
    }

    /// What the flag at a place is for who was entered, as a number.
    pub fn evaluate(&mut self, place: u32) -> u32 {
        let flag = match self.flag(place) {
            _ if !self.is_ready => return number(&Decision::NOT_READY),
            None => return number(&Decision::NOT_FOUND),
            Some(_) if !self.is_usable => return number(&Decision::error(ErrorCode::InvalidContext)),
            Some(flag) => flag,
        };
        let random = self.rng.bits();
        let decision =
            self.with_context(|flags, context, moment| flags.evaluate(flag, context, Moment { random, ..moment }));
        self.last = Some((flag, decision));
        number(&decision)
    }

    /// The same for all flags, in the order of their keys. Returns where the numbers lie, in bytes, four for each.
    pub fn all(&mut self) -> *const u32 {
        let mut row = std::mem::take(&mut self.row);
        row.clear();
        let random = self.rng.bits();
        let is_usable = self.is_usable;
        self.with_context(|flags, context, moment| {
            let moment = Moment { random, ..moment };
            row.extend(flags.table().all().map(|flag| match is_usable {
                true => number(&flags.evaluate(flag, context, moment)),
                false => number(&Decision::error(ErrorCode::InvalidContext)),
            }));
        });
        self.row = row;
        self.row.as_ptr()
    }

    /// The value that a variable gives, by the place that a decision says, as JSON.
    #[must_use]
    pub fn forced(&self, place: u16) -> String {
        self.flags.overrides().value(place).map_or(Value::Null, explain::value).to_string()
    }

    /// What a variable says of a flag that no document has: `[<decision>, <value>]` as JSON, empty if none says anything.
    #[must_use]
    pub fn alone(&self, key: &str) -> String {
        let found = self.with_context(|flags, context, _| {
            let (decision, value) = flags.overrides().decide_alone(key, context)?;
            Some(json!([number(&decision), value.map(explain::value)]))
        });
        found.map(|found| found.to_string()).unwrap_or_default()
    }

    /// More of the last decision, as JSON: the rule, the bucket of a million, the flag that is required and is not as it must be.
    #[must_use]
    pub fn detail(&self) -> String {
        let Some((flag, decision)) = &self.last else { return "{}".to_owned() };
        let table = self.flags.table();
        let mut told = Map::new();
        if let Some(rule) = decision.rule {
            let name = table.rule_name(*flag, rule).map_or_else(|| Value::from(rule), Value::from);
            told.insert("rule".to_owned(), name);
        }
        if let Some(bucket) = decision.bucket {
            told.insert("bucket".to_owned(), bucket.into());
        }
        if let Some(other) = decision.prerequisite {
            told.insert("prerequisite".to_owned(), table.key(other).into());
        }
        Value::Object(told).to_string()
    }

    /// Why the flag at a place is what it is for who was entered, as JSON.
    #[must_use]
    pub fn explain(&self, place: u32) -> String {
        let Some(flag) = self.flag(place) else { return "null".to_owned() };
        let explanation = self.with_context(|flags, context, moment| flags.explain(flag, context, moment));
        serde_json::to_string(&explanation).unwrap_or_default()
    }

    /// Who would get something else with `document` in place of what is loaded: a list of counts by flag, as JSON. `sample` is
    /// a list of objects of attributes, as JSON. Throws all that is wrong with the document.
    #[wasm_bindgen(js_name = whoMoves)]
    pub fn who_moves(&self, document: &str, sample: &str) -> Result<String, JsError> {
        let table = FlagSet::parse(document).and_then(|set| set.compile()).map_err(|faults| thrown(&faults))?;
        let after = Flags::new(table, Overrides::NONE);
        let before = Flags::new(self.flags.table().clone(), Overrides::NONE);
        let sample: Vec<Map<String, Value>> =
            serde_json::from_str(sample).map_err(|_| JsError::new("a sample is a list of objects of attributes"))?;
        let known: Vec<Vec<(&str, Val<'_>)>> = sample
            .iter()
            .map(|somebody| somebody.iter().map(|(name, value)| (name.as_str(), val_of(value))).collect())
            .collect();
        let known: Vec<&[(&str, Val<'_>)]> = known.iter().map(Vec::as_slice).collect();
        let moment = Moment { now: self.now, confirmed_at: self.now, random: 0 };
        Ok(serde_json::to_string(&who_moves(&before, &after, &known, moment)).unwrap_or_default())
    }
}

impl FlagCore {
    fn take(&mut self, table: Table, variables: &str, kill: &str) -> Result<(), JsError> {
        let overrides = overrides_of(&table, variables, kill)?;
        self.flags = Flags::new(table, overrides);
        self.is_ready = true;
        self.entered.clear();
        self.last = None;
        Ok(())
    }

    fn flag(&self, place: u32) -> Option<FlagIndex> {
        self.flags.table().at(place)
    }

    /// Reads what was written into the room.
    fn read(&mut self, length: usize) -> Option<()> {
        let mut rest = self.room.get(..length)?;
        self.entered.clear();
        self.text.clear();
        while let Some((&tag, behind)) = rest.split_first() {
            rest = behind;
            let attribute = match tag {
                tag::MISSING => Entered::Missing,
                tag::FALSE => Entered::Bool(false),
                tag::TRUE => Entered::Bool(true),
                tag::NUMBER => {
                    let (number, behind) = rest.split_first_chunk::<8>()?;
                    rest = behind;
                    Entered::Number(f64::from_le_bytes(*number))
                }
                tag::TEXT => {
                    let (length, behind) = rest.split_first_chunk::<4>()?;
                    let (text, behind) = behind.split_at_checked(u32::from_le_bytes(*length) as usize)?;
                    rest = behind;
                    if text.len() > TEXT_MAX {
                        return None;
                    }
                    let start = self.text.len();
                    self.text.push_str(str::from_utf8(text).ok()?);
                    Entered::Text { start, end: self.text.len() }
                }
                _ => return None,
            };
            if self.entered.len() == ATTRIBUTES_MAX {
                return None;
            }
            self.entered.push(attribute);
        }
        Some(())
    }

    /// Does something with who was entered.
    #[inline]
    fn with_context<T>(&self, work: impl FnOnce(&Flags, Context<'_>, Moment) -> T) -> T {
        // To clear room for all attributes that there can be takes longer than to look at a few.
        match self.entered.len() {
            0..=8 => self.with_up_to::<8, T>(work),
            _ => self.with_up_to::<ATTRIBUTES_MAX, T>(work),
        }
    }

    #[inline]
    fn with_up_to<const MAX: usize, T>(&self, work: impl FnOnce(&Flags, Context<'_>, Moment) -> T) -> T {
        let mut values = [Val::Missing; MAX];
        for (value, entered) in values.iter_mut().zip(&self.entered) {
            *value = match *entered {
                Entered::Missing => Val::Missing,
                Entered::Text { start, end } => self.text.get(start..end).map_or(Val::Missing, Val::Text),
                Entered::Number(number) => Val::Number(number),
                Entered::Bool(bool) => Val::Bool(bool),
            };
        }
        let context = values.get(..self.entered.len()).and_then(|values| Context::new(values).ok()).unwrap_or_default();
        let moment = Moment { now: self.now, confirmed_at: self.confirmed_at, random: 0 };
        work(&self.flags, context, moment)
    }
}

/// `variables` is an object of texts, `kill` a list of keys or `true` for all; both as JSON.
fn overrides_of(table: &Table, variables: &str, kill: &str) -> Result<Overrides, JsError> {
    let variables: Map<String, Value> =
        serde_json::from_str(variables).map_err(|_| JsError::new("variables are an object of texts"))?;
    let kill = match json::read(kill) {
        Ok(Value::Bool(true)) => Kill::All,
        Ok(Value::Array(keys)) => Kill::These(keys.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        _ => return Err(JsError::new("what is killed is a list of keys of flags, or true for all of them")),
    };
    let texts = variables.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    Overrides::read(table, texts, &kill).map_err(|faults| thrown(&faults))
}

fn val_of(value: &Value) -> Val<'_> {
    match value {
        Value::String(text) => Val::Text(text),
        Value::Number(number) => number.as_f64().map_or(Val::Missing, Val::Number),
        Value::Bool(bool) => Val::Bool(*bool),
        Value::Null | Value::Array(_) | Value::Object(_) => Val::Missing,
    }
}

fn number(decision: &Decision) -> u32 {
    fn place<T: PartialEq>(all: &[T], one: T) -> u32 {
        all.iter().position(|found| *found == one).unwrap_or_default() as u32
    }
    let (served, at) = match decision.served {
        Served::Variant(variant) => (0, variant),
        Served::Forced(value) => (1, value),
        Served::False => (2, u16::MAX),
        Served::Nothing => (3, u16::MAX),
    };
    u32::from(at)
        | served << decision::SERVED
        | place(&REASONS, decision.reason) << decision::REASON
        | place(&REASONS, decision.underlying) << decision::UNDERLYING
        | decision.error.map_or(0, |error| place(&ERRORS, error) + 1) << decision::ERROR
        | decision.by.map_or(0, |by| place(&SOURCES, by) + 1) << decision::BY
}

const _: () = assert!(decision::PLACE_BITS == decision::SERVED);

fn thrown(faults: &[Fault]) -> JsError {
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    JsError::new(&lines.join("\n"))
}
