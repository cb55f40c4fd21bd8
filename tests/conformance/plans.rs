//! Costs of plans that a real server gave: `tests/contract/statements.test.ts` asks it for the same ones.

use std::collections::BTreeMap;

use seawall::query::plan::{Cost, LINES_MAX, Line, ROWS_DEFAULT, cost};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    sizes: BTreeMap<String, u64>,
    plans: Vec<Plan>,
}

#[derive(Deserialize)]
struct Plan {
    sql: String,
    lines: Vec<(i64, i64, String)>,
    /// Rows, scans, sorts, correlated subqueries, automatic indexes.
    cost: (u64, u32, u32, u32, u32),
}

fn lines(plan: &[(i64, i64, String)]) -> Vec<Line<'_>> {
    plan.iter().map(|(id, parent, detail)| Line { id: *id, parent: *parent, detail }).collect()
}

#[test]
fn plans_cost_what_was_reckoned_by_hand() {
    let golden: Golden = serde_json::from_str(include_str!("plans.json")).unwrap();
    let mut problems = Vec::new();
    for plan in golden.plans {
        let found = cost(&lines(&plan.lines), &|name| golden.sizes.get(name).copied());
        let numbers = (found.rows, found.scans, found.sorts, found.correlated, found.automatic_indexes);
        if numbers != plan.cost {
            problems.push(format!("{}\n  {:?}\n  found {numbers:?}, not {:?}", plan.sql, plan.lines, plan.cost));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_plan_that_cannot_be_read_is_never_cheap_by_overflow() {
    let scans: Vec<(i64, i64, String)> = (1..40).map(|id| (id, 0, format!("SCAN t{id}"))).collect();
    assert_eq!(cost(&lines(&scans), &|_| None).rows, u64::MAX);
    let deep: Vec<(i64, i64, String)> = (1..500).map(|id| (id, id - 1, "SCALAR SUBQUERY 1".to_owned())).collect();
    assert_eq!(cost(&lines(&deep), &|_| None).rows, u64::MAX);
    let many: Vec<(i64, i64, String)> = (0..=LINES_MAX as i64).map(|id| (id + 1, 0, "SCAN t".to_owned())).collect();
    assert_eq!(cost(&lines(&many), &|_| Some(1)).rows, u64::MAX);
    let looped = [(1, 1, "SCAN t".to_owned()), (2, 3, "SCAN t".to_owned()), (3, 2, "SCAN t".to_owned())];
    assert_eq!(cost(&lines(&looped), &|_| Some(1)), Cost::default());
    assert_eq!(cost(&lines(&[(1, 0, "SCAN t".to_owned())]), &|_| None).rows, ROWS_DEFAULT);
}
