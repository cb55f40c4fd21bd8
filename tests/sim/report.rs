//! `npm run sim`: runs the fleet at several sizes under several policies and prints what it cost.
//!
//! Every run is made twice, and a run whose two digests differ is an error.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
#![allow(dead_code, reason = "the laws in main.rs use the rest")]

mod fleet;
mod report {
    pub(crate) mod arguments;
    pub(crate) mod chart;
    pub(crate) mod row;
    pub(crate) mod table;
}

use std::path::Path;
use std::process::ExitCode;

use fleet::plan::Plan;
use fleet::world::{Outcome, run};
use report::arguments::{Arguments, Form};
use report::row::Row;
use report::{chart, table};

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    eprintln!("SEED={}", arguments.seed);
    let mut rows = Vec::new();
    for &isolates in &arguments.isolates {
        for &policy in &arguments.policies {
            let plan = arguments.plan(policy, isolates);
            let Some(outcome) = twice(&plan) else {
                eprintln!("{} isolates, {}: two runs of one seed differ", isolates, policy.name());
                return ExitCode::FAILURE;
            };
            let row = Row::of(&plan, &outcome);
            eprintln!("{}", row.progress());
            rows.push(row);
        }
    }
    match arguments.form {
        Form::Table => println!("{}", table::markdown(&rows)),
        Form::Json => println!("{}", table::json(&rows)),
    }
    if arguments.is_writing {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
        std::fs::write(docs.join("simulation.md"), table::page(&rows, arguments.seed)).unwrap();
        std::fs::write(docs.join("simulation.svg"), chart::svg(&rows)).unwrap();
    }
    ExitCode::SUCCESS
}

/// Runs a plan twice side by side; `None` when the runs differ.
fn twice(plan: &Plan) -> Option<Outcome> {
    std::thread::scope(|scope| {
        let other = scope.spawn(|| run(plan));
        let outcome = run(plan);
        let other = other.join().expect("a run panicked");
        (outcome == other).then_some(outcome)
    })
}
