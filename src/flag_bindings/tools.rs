//! Cargo feature `flag-tools`: what people write is read, checked and compiled to snapshots, and what they ask is told. Keeps
//! nothing between calls.

use serde_json::{Map, Value, json};
use wasm_bindgen::prelude::*;

use super::thrown;
use crate::clock::Instant;
use crate::flags::import::{Imported, flagd, growthbook, launchdarkly, unleash};
use crate::flags::moves::who_moves;
use crate::flags::packed::{self, Attributes};
use crate::flags::ratio::Mismatch;
use crate::flags::{Context, ErrorCode, FlagSet, Flags, Moment, Overrides, Table, Val};

/// Most flags of one list of mismatches.
const MISMATCHES_MAX: usize = 20;

/// A document that was compiled.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Compiled {
    snapshot: Vec<u8>,
    warnings: String,
}

#[wasm_bindgen]
impl Compiled {
    /// The snapshot.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        self.snapshot.clone()
    }

    /// What is worth a warning: a list of texts in JSON.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn warnings(&self) -> String {
        self.warnings.clone()
    }
}

/// Compiles a document, the text of its JSON. Throws all that is wrong, a line each.
#[wasm_bindgen]
pub fn compile(document: &str) -> Result<Compiled, JsError> {
    let (set, warnings) = FlagSet::parse_with_warnings(document).map_err(|faults| thrown(&faults))?;
    let snapshot = set.compile().map_err(|faults| thrown(&faults))?.encode();
    Ok(Compiled { snapshot, warnings: Value::from_iter(warnings.iter().map(ToString::to_string)).to_string() })
}

/// A document as this release writes it: names in order, nothing said that would hold anyway. Throws all that is wrong.
#[wasm_bindgen(js_name = exportDocument)]
pub fn export_document(document: &str) -> Result<String, JsError> {
    let set = FlagSet::parse(document).map_err(|faults| thrown(&faults))?;
    Ok(set.to_json().to_string())
}

/// A document of another engine as ours: `{ document, warnings }` as JSON. Throws all that is wrong.
#[wasm_bindgen(js_name = importDocument)]
pub fn import_document(from: &str, text: &str) -> Result<String, JsError> {
    let import = match from {
        "unleash" => unleash::import,
        "flagd" => flagd::import,
        "growthbook" => growthbook::import,
        "launchdarkly" => launchdarkly::import,
        _ => return Err(JsError::new("documents come from unleash, flagd, growthbook or launchdarkly")),
    };
    let Imported { flags, warnings } = import(text).map_err(|faults| thrown(&faults))?;
    let warnings = Value::from_iter(warnings.iter().map(ToString::to_string));
    Ok(json!({ "document": flags.to_json(), "warnings": warnings }).to_string())
}

/// Why a flag is what it is for somebody, as JSON; `null` if there is no such flag. Attributes are as `packed::Attributes` reads
/// them, what is said beside the snapshot as `packed::overrides`; times are in milliseconds since the epoch.
#[wasm_bindgen]
pub fn explain(
    snapshot: &[u8],
    said: &[u8],
    attributes: &[u8],
    key: &str,
    #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    #[wasm_bindgen(js_name = confirmedAtMs)] confirmed_at_ms: f64,
) -> Result<String, JsError> {
    let table = decoded(snapshot)?;
    let overrides = packed::overrides(&table, said).map_err(|faults| thrown(&faults))?;
    let mut known = Attributes::default();
    let is_usable = known.read(table.attributes().len(), attributes);
    let flags = Flags::new(table, overrides);
    let instant = |ms| Instant::from_host(ms).unwrap_or_default();
    let moment = Moment { now: instant(now_ms), confirmed_at: instant(confirmed_at_ms), random: 0 };
    let told = |flag| match is_usable {
        true => flags.explain(flag, Context::from(&known), moment),
        false => flags.unexplained(flag, ErrorCode::InvalidContext),
    };
    let explanation = flags.table().find(key).map(told);
    Ok(serde_json::to_string(&explanation).unwrap_or_default())
}

/// Whether the units of a flag are split as its rules say, as JSON; `null` if no rule splits. `observed` is what the runtime's own
/// `observed` gives.
#[wasm_bindgen(js_name = sampleRatio)]
pub fn sample_ratio(snapshot: &[u8], key: &str, observed: &[u32]) -> Result<String, JsError> {
    let table = decoded(snapshot)?;
    let found = table.find(key).and_then(|flag| table.sample_ratio(flag, &splits(observed)));
    Ok(serde_json::to_string(&found).unwrap_or_default())
}

/// The flags whose units are not split as their rules say, as JSON: a list with what was seen of each of their rules. `observed` has
/// for each flag its place, how many numbers follow, and those: what the runtime's own `observed` gives. At most 20.
#[wasm_bindgen]
pub fn mismatches(snapshot: &[u8], observed: &[u32]) -> Result<String, JsError> {
    let table = decoded(snapshot)?;
    let (mut found, mut rest): (Vec<Mismatch>, _) = (Vec::new(), observed);
    while let [place, length, units @ ..] = rest
        && found.len() < MISMATCHES_MAX
    {
        let (units, after) = units.split_at(units.len().min(*length as usize));
        rest = after;
        found.extend(table.at(*place).and_then(|flag| table.mismatch(flag, &splits(units))));
    }
    Ok(serde_json::to_string(&found).unwrap_or_default())
}

/// Units by rule and variant, as the runtime's own `observed` gives them.
fn splits(observed: &[u32]) -> Vec<(u16, Vec<u32>)> {
    let mut splits: Vec<(u16, Vec<u32>)> = Vec::new();
    for (rule, units) in observed.chunks_exact(3).filter_map(|row| Some((u16::try_from(row[0]).ok()?, row[2]))) {
        match splits.last_mut() {
            Some((last, all)) if *last == rule => all.push(units),
            _ => splits.push((rule, vec![units])),
        }
    }
    splits
}

/// Who would get something else with `document` in place of a snapshot: a list of counts by flag, as JSON. `sample` is a list of
/// objects of attributes, as JSON. Throws all that is wrong with the document.
#[wasm_bindgen(js_name = whoMoves)]
pub fn compared(
    snapshot: &[u8],
    document: &str,
    sample: &str,
    #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
) -> Result<String, JsError> {
    let after = FlagSet::parse(document).and_then(|set| set.compile()).map_err(|faults| thrown(&faults))?;
    let [before, after] = [decoded(snapshot)?, after].map(|table| Flags::new(table, Overrides::NONE));
    let sample: Vec<Map<String, Value>> =
        serde_json::from_str(sample).map_err(|_| JsError::new("a sample is a list of objects of attributes"))?;
    let known: Vec<Vec<(&str, Val<'_>)>> = sample
        .iter()
        .map(|somebody| somebody.iter().map(|(name, value)| (name.as_str(), val_of(value))).collect())
        .collect();
    let known: Vec<&[(&str, Val<'_>)]> = known.iter().map(Vec::as_slice).collect();
    let now = Instant::from_host(now_ms).unwrap_or_default();
    let moment = Moment { now, confirmed_at: now, random: 0 };
    Ok(serde_json::to_string(&who_moves(&before, &after, &known, moment)).unwrap_or_default())
}

fn decoded(snapshot: &[u8]) -> Result<Table, JsError> {
    Table::decode(snapshot).map_err(|refusal| JsError::new(&refusal.to_string()))
}

fn val_of(value: &Value) -> Val<'_> {
    match value {
        Value::String(text) => Val::Text(text),
        Value::Number(number) => number.as_f64().map_or(Val::Missing, Val::Number),
        Value::Bool(bool) => Val::Bool(*bool),
        Value::Null | Value::Array(_) | Value::Object(_) => Val::Missing,
    }
}
