//! Cargo feature `flags`: snapshots, and what flags are for somebody.
//!
//! Definitions cross as a snapshot, once. Attributes of somebody cross once for as many evaluations as one likes: JavaScript
//! writes them into [`FlagCore::room`] and enters them. A decision is one number; values stay where they are known, by their place.

use wasm_bindgen::prelude::*;

use super::thrown;
use crate::clock::Instant;
use crate::flags::exposure::Exposures;
use crate::flags::packed::{self, Attributes};
use crate::flags::{Context, Decision, ErrorCode, FlagIndex, Flags, Found, Moment, Served, Table};
use crate::rng::{Rng, SplitMix};

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
    asks_chance: bool,
    room: Vec<u8>,
    attributes: Attributes,
    is_usable: bool,
    exposures: Exposures,
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
            asks_chance: false,
            room: Vec::new(),
            attributes: Attributes::default(),
            is_usable: true,
            exposures: Exposures::default(),
            row: Vec::new(),
            last: None,
        }
    }

    /// Gives chance to flags that serve by it. Platforms have none before the first request.
    pub fn seed(&mut self, seed: f64) {
        self.rng = SplitMix::new(seed.to_bits());
    }

    /// Takes a snapshot with what is said beside it, as `packed::overrides` reads it; all of it, or nothing. Throws why it is
    /// refused, a line for each fault. What was counted and not taken is lost.
    pub fn load(&mut self, snapshot: &[u8], said: &[u8]) -> Result<(), JsError> {
        let table = Table::decode(snapshot).map_err(|refusal| JsError::new(&refusal.to_string()))?;
        let overrides = packed::overrides(&table, said).map_err(|faults| thrown(&faults))?;
        self.exposures = match self.is_ready {
            true => std::mem::take(&mut self.exposures).after(self.flags.table(), &table),
            false => Exposures::new(&table),
        };
        self.asks_chance = table.asks_chance();
        self.flags = Flags::new(table, overrides);
        self.is_ready = true;
        self.last = None;
        Ok(())
    }

    /// Replaces what is said beside the flags: nothing is loaded for it.
    #[wasm_bindgen(js_name = overrideBy)]
    pub fn override_by(&mut self, said: &[u8]) -> Result<(), JsError> {
        let overrides = packed::overrides(self.flags.table(), said).map_err(|faults| thrown(&faults))?;
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

    /// Whether any flag asks for the time: by `maxAge`, or in a condition. Else who enters somebody need not tell it.
    #[must_use]
    #[wasm_bindgen(js_name = asksTime)]
    pub fn asks_time(&self) -> bool {
        self.flags.table().asks_time()
    }

    /// Whether any flag serves by chance. Else it need not be [seeded](Self::seed).
    #[must_use]
    #[wasm_bindgen(js_name = asksChance)]
    pub fn asks_chance(&self) -> bool {
        self.asks_chance
    }

    /// The attributes that flags ask for, in the order in which they are entered, as `packed::texts`.
    #[must_use]
    pub fn attributes(&self) -> Vec<u8> {
        packed::texts(self.flags.table().attributes())
    }

    /// The keys of all flags, in order, as `packed::texts`.
    #[must_use]
    pub fn keys(&self) -> Vec<u8> {
        let table = self.flags.table();
        packed::texts(table.all().map(|flag| table.key(flag)))
    }

    /// What is to be known of the flag of that key before it is asked for, as `packed::flag`: its place, the attributes that it asks
    /// for (who asks for it alone need not enter others) and its variants. Nothing if there is none.
    #[must_use]
    pub fn find(&self, key: &str) -> Vec<u8> {
        let table = self.flags.table();
        table.find(key).map(|flag| packed::flag(table, flag)).unwrap_or_default()
    }

    /// What a boolean flag is for everybody: 0 or 1, -1 if that differs, -2 if there is no such flag.
    #[must_use]
    pub fn constant(&self, key: &str) -> i32 {
        self.flags.constant_boolean(key).map_or(-2, |found| found.map_or(-1, i32::from))
    }

    /// The key of the flag at a place; empty if there is none.
    #[must_use]
    pub fn key(&self, place: u32) -> String {
        self.flag(place).map(|flag| self.flags.table().key(flag).to_owned()).unwrap_or_default()
    }

    /// The key that a mistyped one was probably meant to be; empty if none is near.
    #[must_use]
    pub fn nearest(&self, key: &str) -> String {
        self.flags.table().nearest(key).unwrap_or_default().to_owned()
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
        let count = self.flags.table().attributes().len();
        self.is_usable = self.room.get(..length).is_some_and(|bytes| self.attributes.read(count, bytes));
        self.exposures.enter();
        self.is_usable
    }

    /// What the flag at a place is for who was entered, as a number. Counts what is served.
    pub fn evaluate(&mut self, place: u32) -> u32 {
        let (Some(flag), true) = (self.flag(place), self.is_usable) else {
            return packed::number(&self.refused(place));
        };
        let moment = self.moment();
        let context = Context::from(&self.attributes);
        let (number, rule) = self.flags.evaluate_packed(flag, context, moment);
        if let Some(variant) = packed::variant_in(number) {
            self.exposures.count_variant(self.flags.table(), flag, (variant, rule), context);
        }
        number
    }

    /// The same, of which [`rule`](Self::rule), [`bucket`](Self::bucket) and [`prerequisite`](Self::prerequisite) then tell more.
    #[wasm_bindgen(js_name = evaluateInDetail)]
    pub fn evaluate_in_detail(&mut self, place: u32) -> u32 {
        let decision = match self.flag(place) {
            Some(flag) if self.is_usable => {
                let moment = self.moment();
                let context = Context::from(&self.attributes);
                let decision = self.flags.evaluate(flag, context, moment);
                self.exposures.count(self.flags.table(), flag, &decision, context);
                decision
            }
            _ => self.refused(place),
        };
        self.last = self.flag(place).map(|flag| (flag, decision));
        packed::number(&decision)
    }

    /// The same for all flags, in the order of their keys. Returns where the numbers lie, in bytes, four for each. Counts nothing.
    pub fn all(&mut self) -> *const u32 {
        let moment = self.moment();
        let Self { flags, attributes, row, is_usable, .. } = self;
        let context = Context::from(&*attributes);
        row.clear();
        row.extend(flags.table().all().map(|flag| match is_usable {
            true => flags.evaluate_packed(flag, context, moment).0,
            false => packed::number(&Decision::error(ErrorCode::InvalidContext)),
        }));
        row.as_ptr()
    }

    /// The value that a variable gives, by the place that a decision says, as `packed::value`.
    #[must_use]
    pub fn forced(&self, place: u16) -> Vec<u8> {
        packed::value(self.flags.overrides().value(place))
    }

    /// What a variable says of a flag that no document has: the decision, and 2^32 more where what is served is `true` and no
    /// value of a variable. -1 if none says anything.
    #[must_use]
    pub fn alone(&self, key: &str) -> f64 {
        const TRUE: f64 = 4_294_967_296.0;
        let found = self.flags.overrides().decide_alone(key, Context::from(&self.attributes));
        found.map_or(-1.0, |(decision, value)| {
            let is_true = value == Some(Found::Boolean(true)) && !matches!(decision.served, Served::Forced(_));
            f64::from(packed::number(&decision)) + if is_true { TRUE } else { 0.0 }
        })
    }

    /// The rule of the last decision, by place; -1 if there is none.
    #[must_use]
    pub fn rule(&self) -> i32 {
        self.last.and_then(|(_, decision)| decision.rule).map_or(-1, i32::from)
    }

    /// The name of that rule; empty if it has none.
    #[must_use]
    #[wasm_bindgen(js_name = ruleName)]
    pub fn rule_name(&self) -> String {
        let name = self.last.and_then(|(flag, decision)| self.flags.table().rule_name(flag, decision.rule?));
        name.unwrap_or_default().to_owned()
    }

    /// The bucket of a million of the last decision; -1 if none was asked.
    #[must_use]
    pub fn bucket(&self) -> i32 {
        self.last.and_then(|(_, decision)| decision.bucket?.try_into().ok()).unwrap_or(-1)
    }

    /// The place of the flag that the last one requires and that is not as it must be; -1 if there is none.
    #[must_use]
    pub fn prerequisite(&self) -> i32 {
        self.last.and_then(|(_, decision)| decision.prerequisite?.place().try_into().ok()).unwrap_or(-1)
    }

    /// How many units of the samples each rule of the flag at a place gave to each variant: for each the rule, the variant, both
    /// by place, and how many.
    #[must_use]
    pub fn observed(&self, place: u32) -> Vec<u32> {
        let table = self.flags.table();
        let found = self.flag(place).map(|flag| self.exposures.observed(table, flag)).unwrap_or_default();
        let of_rule = |(rule, units): (u16, Vec<u32>)| {
            units.into_iter().zip(0_u32..).flat_map(move |(units, variant)| [u32::from(rule), variant, units])
        };
        found.into_iter().flat_map(of_rule).collect()
    }

    /// How often variants were served since this was asked before: for each the place of the flag, of the variant, and how often.
    pub fn exposures(&mut self) -> Vec<u32> {
        let found = self.exposures.take(self.flags.table());
        found.iter().flat_map(|found| [found.flag.place(), found.variant.into(), found.count]).collect()
    }
}

impl FlagCore {
    /// Why nobody can be told of the flag at a place.
    #[inline(never)]
    fn refused(&self, place: u32) -> Decision {
        match self.flag(place) {
            _ if !self.is_ready => Decision::NOT_READY,
            None => Decision::NOT_FOUND,
            Some(_) => Decision::error(ErrorCode::InvalidContext),
        }
    }

    #[inline]
    fn flag(&self, place: u32) -> Option<FlagIndex> {
        self.flags.table().at(place)
    }

    #[inline]
    fn moment(&mut self) -> Moment {
        let random = if self.asks_chance { self.rng.bits() } else { 0 };
        Moment { now: self.now, confirmed_at: self.confirmed_at, random }
    }
}
