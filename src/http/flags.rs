//! Routes about flags that change nothing: why somebody gets what it gets, and whom another document would move.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::body;
use super::call::Call;
use super::exchange::{Cx, Next};
use super::flag_context::{Known, TooLong, packed, room, val_of};
use super::ofrep::{after, key_of};
use super::orders::FLAGS_BODY_MAX;
use super::{QUOTED_MAX, Response};
use crate::flags::context::TEXT_MAX;
use crate::flags::explain::Explanation;
use crate::flags::moves::{self, Moved, who_moves};
use crate::flags::ratio::{Portion, SampleRatio, Verdict};
use crate::flags::{FlagSet, Flags, Overrides, Val};
use crate::orders::follow;

/// Most who are asked about at once.
const SAMPLE_MAX: usize = 10_000;
/// Most evaluations of one request, for each of both editions.
const EVALUATIONS_MAX: usize = 1_000_000;
/// Most faults and warnings that are told.
const TOLD_MAX: usize = 20;

/// Why a flag is what it is for somebody, and whether all whom OFREP served it here were split as it says.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Explained {
    #[serde(flatten)]
    explanation: Explanation,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample_ratio: Option<RatioTold>,
}

/// The same shape as `sampleRatio` of `seawall/flags`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RatioTold {
    verdict: Verdict,
    p_value: f64,
    chi_square: f64,
    degrees: u32,
    observed: BTreeMap<String, f64>,
    expected: BTreeMap<String, f64>,
}

impl RatioTold {
    fn of(SampleRatio { verdict, p_value, chi_square, degrees, observed, expected }: SampleRatio) -> Self {
        let by_variant = |portions: Vec<Portion>| portions.into_iter().map(|it| (it.variant, it.units)).collect();
        let (observed, expected) = (by_variant(observed), by_variant(expected));
        Self { verdict, p_value, chi_square, degrees, observed, expected }
    }
}

/// `POST /flags/{key}/explain`.
pub(super) fn explain(call: &Call, cx: &mut Cx<'_>) -> Next {
    let (call, next) = (call.clone(), follow::begin(cx));
    after(next, cx, Box::new(move |cx| Next::Respond(explained(&call, cx).unwrap_or_else(|refused| refused))))
}

fn explained(call: &Call, cx: &mut Cx<'_>) -> Result<Response, Response> {
    let mut members = members(body::json(&call.request)?, &["context"])?;
    let Some(Value::Object(known)) = members.remove("context") else {
        return Err(unusable("\"context\" must be an object of attributes"));
    };
    let (now, random, key) = (cx.now, cx.random, key_of(&call.rest));
    let state = cx.monitor.flags(now);
    let table = state.flags().table();
    let Some(flag) = table.find_meant(&key) else {
        let nearest = table.nearest(&key).map(|nearest| format!(" Did you mean {nearest}?")).unwrap_or_default();
        let detail = format!("There is no such flag.{nearest}");
        return Err(Response::problem(404, "FLAG_NOT_FOUND", "Not found", &detail));
    };
    let mut room = room();
    let context = packed(table, &known, &mut room).map_err(|TooLong(name)| {
        unusable(&format!("{:?} has more than {TEXT_MAX} bytes", &name[..name.floor_char_boundary(QUOTED_MAX)]))
    })?;
    let explanation = state.flags().explain(flag, context, state.moment(now, random));
    let explained = Explained { explanation, sample_ratio: state.sample_ratio(flag).map(RatioTold::of) };
    Ok(Response::json(200, "application/json", &explained))
}

/// `POST /flags/plan`.
pub(super) fn plan(call: &Call, cx: &mut Cx<'_>) -> Next {
    let (call, next) = (call.clone(), follow::begin(cx));
    after(next, cx, Box::new(move |cx| Next::Respond(planned(&call, cx).unwrap_or_else(|refused| refused))))
}

fn planned(call: &Call, cx: &mut Cx<'_>) -> Result<Response, Response> {
    let mut members = members(body::json_up_to(&call.request, FLAGS_BODY_MAX)?, &["document", "sample"])?;
    let document = members.remove("document").unwrap_or_default();
    let Some(Value::Array(sample)) = members.remove("sample") else {
        return Err(unusable("\"sample\" must be a list of objects of attributes"));
    };
    let Some(sample) = sample.iter().map(Value::as_object).collect::<Option<Vec<&Known>>>() else {
        return Err(unusable("\"sample\" must be a list of objects of attributes"));
    };
    let compiled = FlagSet::from_value(&document).and_then(|(set, warnings)| Ok((set.compile()?, warnings)));
    let (table, warnings) = compiled.map_err(|faults| {
        let told: Vec<String> = faults.iter().take(TOLD_MAX).map(ToString::to_string).collect();
        unusable(&format!("document: {}", told.join("; ")))
    })?;
    let now = cx.now;
    let state = cx.monitor.flags(now);
    // Without what is killed and what variables say: those hold on.
    let (before, after) =
        (Flags::new(state.flags().table().clone(), Overrides::NONE), Flags::new(table, Overrides::NONE));
    let count = before.table().all().len() + after.table().all().len();
    if sample.len() > SAMPLE_MAX || sample.len().saturating_mul(count) > EVALUATIONS_MAX {
        return Err(unusable(&format!(
            "\"sample\" has at most {SAMPLE_MAX}, and {EVALUATIONS_MAX} with the flags of both documents multiplied"
        )));
    }
    let known: Vec<Vec<(&str, Val<'_>)>> = sample
        .iter()
        .map(|somebody| somebody.iter().map(|(name, value)| (name.as_str(), val_of(value))).collect())
        .collect();
    let known: Vec<&moves::Known<'_>> = known.iter().map(Vec::as_slice).collect();
    let moved = who_moves(&before, &after, &known, state.moment(now, 0));
    let is_moved = |moved: &&Moved| !moved.only_enrols() || moved.enrolled > 0;
    let flags: Vec<&Moved> = moved.iter().filter(is_moved).collect();
    let warnings: Vec<String> = warnings.iter().take(TOLD_MAX).map(ToString::to_string).collect();
    let (was, is) = (before.table().revision(), after.table().revision());
    let plan = json!({
        "sample": known.len(), "revision": { "before": was, "after": is }, "flags": flags, "warnings": warnings,
    });
    Ok(Response::json(200, "application/json", &plan))
}

/// The members of a body, which are among `known`.
fn members(body: Value, known: &[&str]) -> Result<Known, Response> {
    let Value::Object(members) = body else {
        return Err(unusable(&format!("the body is an object with {}", known.join(", "))));
    };
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(members),
        Some(unknown) => {
            let quoted = &unknown[..unknown.floor_char_boundary(QUOTED_MAX)];
            Err(unusable(&format!("the body has only {}; it got {quoted:?}", known.join(", "))))
        }
    }
}

fn unusable(problem: &str) -> Response {
    Response::problem(422, "BODY_UNUSABLE", "Unusable body", &format!("The body cannot be taken: {problem}."))
}

#[cfg(test)]
#[path = "flags_tests.rs"]
mod tests;
