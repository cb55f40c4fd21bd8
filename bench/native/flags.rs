//! The engine of flags without any boundary: `npm run bench` runs it, with the workload that every other engine is given.
//!
//! Reads `{ document, users }` as JSON from the file that it is given, and prints medians over rounds as JSON, in nanoseconds for
//! one evaluation: `boolean`, `complex`, `all`, and `loadMicros` for a snapshot.
#![allow(clippy::print_stdout, clippy::disallowed_methods, missing_docs)]

use std::hint::black_box;
use std::time::Instant as Clock;

use seawall::clock::Instant;
use seawall::flags::{Context, FlagIndex, FlagSet, Flags, Moment, Overrides, Table, Val};
use serde_json::{Value, json};

const ROUNDS: usize = 15;

fn main() {
    let path = std::env::args().nth(1).unwrap_or_default();
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let given: Value = serde_json::from_str(&text).unwrap_or_default();
    let Some((flags, snapshot)) = compiled(&given) else {
        println!("null");
        return;
    };
    let users: Vec<Vec<Val<'_>>> =
        given["users"].as_array().into_iter().flatten().map(|user| packed(&flags, user)).collect();
    let contexts: Vec<Context<'_>> = users.iter().filter_map(|values| Context::new(values).ok()).collect();
    let of_kind = |kind: &str| -> Vec<FlagIndex> {
        flags.table().all().filter(|flag| flags.table().key(*flag).ends_with(kind)).collect()
    };
    let result = json!({
        "boolean": evaluations(&flags, &of_kind("-boolean"), &contexts),
        "complex": evaluations(&flags, &of_kind("-complex"), &contexts),
        "all": evaluations(&flags, &flags.table().all().collect::<Vec<_>>(), &contexts),
        "loadMicros": median(|| timed(20, || _ = black_box(Table::decode(black_box(&snapshot))))) / 1_000.0,
    });
    println!("{result}");
}

fn compiled(given: &Value) -> Option<(Flags, Vec<u8>)> {
    let table = FlagSet::parse(&given["document"].to_string()).ok()?.compile().ok()?;
    let snapshot = table.encode();
    Some((Flags::new(table, Overrides::NONE), snapshot))
}

fn packed<'u>(flags: &Flags, user: &'u Value) -> Vec<Val<'u>> {
    let value = |name: &str| match &user[name] {
        Value::String(text) => Val::Text(text),
        Value::Number(number) => Val::Number(number.as_f64().unwrap_or_default()),
        _ => Val::Missing,
    };
    flags.table().attributes().map(value).collect()
}

/// Nanoseconds for one evaluation: each user is asked about flags here and there. Who and what is chosen before the clock runs.
fn evaluations(flags: &Flags, asked: &[FlagIndex], contexts: &[Context<'_>]) -> f64 {
    let moment = Moment { now: Instant(1_800_000_000_000), ..Moment::default() };
    let pairs: Vec<(FlagIndex, Context<'_>)> =
        (0..contexts.len() * 64).map(|at| (asked[at * 7 % asked.len()], contexts[at % contexts.len()])).collect();
    median(|| {
        let began = Clock::now();
        for (flag, context) in &pairs {
            black_box(flags.evaluate(*flag, *context, moment));
        }
        began.elapsed().as_secs_f64() * 1e9 / pairs.len() as f64
    })
}

/// Nanoseconds for each time.
fn timed(times: usize, mut work: impl FnMut()) -> f64 {
    let began = Clock::now();
    for _ in 0..times {
        work();
    }
    began.elapsed().as_secs_f64() * 1e9 / times as f64
}

fn median(mut round: impl FnMut() -> f64) -> f64 {
    round();
    let mut found: Vec<f64> = (0..ROUNDS).map(|_| round()).collect();
    found.sort_unstable_by(f64::total_cmp);
    found[ROUNDS / 2]
}
