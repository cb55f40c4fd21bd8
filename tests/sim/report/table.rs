//! Rows as Markdown and as JSON: the same rows.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::row::{Row, shown};

/// A table in Markdown.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| isolates | policy | wasted calls | calls/s to the dead database: mean, max | recovery of 95 % | refusing, 95 % | KV writes (per colo; max per s and key) | KV reads | near reads, writes |\n|---:|---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for row in rows {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.1}, {} | {} | {} | {} ({:.1}; {}) | {} | {}, {} |",
            grouped(u64::from(row.isolates)),
            row.policy.title(),
            grouped(row.wasted),
            row.load_mean,
            grouped(u64::from(row.load_max)),
            shown(row.recovery_s),
            shown(row.refusing_s),
            grouped(row.kv_writes),
            row.kv_writes_per_colo,
            row.kv_writes_per_key_second,
            grouped(row.kv_reads),
            grouped(row.near_reads),
            grouped(row.near_writes),
        );
    }
    text
}

/// The page `docs/simulation.md`.
pub(crate) fn page(rows: &[Row], seed: u64) -> String {
    format!(
        "# A fleet through an outage\n\nWritten by `npm run sim -- --write`, seed {seed}. The database is gone for three minutes; a call to it fails after one second. Twenty colos of uneven\nsize, two requests a second and isolate. What is assumed, and what a simulation cannot tell, is in\n[decision 0011](decisions/0011-simulator.md).\n\n![Load on the dead database, and recovery, against the number of isolates](simulation.svg)\n\n- *Wasted calls* reached the dead database; *calls/s* are counted from the tenth second of the outage on, when every isolate has had time to learn.\n- *Recovery* is how long after the database was back 95 % of the isolates had refused their last call; *refusing* is how long after it was gone 95 % had refused their first.\n- *KV writes* include those that KV refused.\n\n{}",
        markdown(rows)
    )
}

/// A JSON list of objects.
pub(crate) fn json(rows: &[Row]) -> String {
    let rows: Vec<Value> = rows.iter().map(object).collect();
    format!("{:#}", Value::from(rows))
}

fn object(row: &Row) -> Value {
    json!({
        "isolates": row.isolates,
        "policy": row.policy.name(),
        "seed": row.seed,
        "wastedCalls": row.wasted,
        "deadLoadMeanPerS": row.load_mean,
        "deadLoadMaxPerS": row.load_max,
        "recoveryS": row.recovery_s,
        "refusingS": row.refusing_s,
        "kvWrites": row.kv_writes,
        "kvWritesPerColo": row.kv_writes_per_colo,
        "kvWritesPerKeySecondMax": row.kv_writes_per_key_second,
        "kvWritesRefused": row.kv_refused,
        "kvReads": row.kv_reads,
        "nearReads": row.near_reads,
        "nearWrites": row.near_writes,
        "events": row.events,
        "digest": format!("{:016x}", row.digest),
    })
}

/// A number with a comma before each three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
