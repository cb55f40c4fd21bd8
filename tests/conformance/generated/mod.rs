//! Documents and TypeScript that are written from the core's own lists.

mod settings;

use std::fmt::Write as _;
use std::path::Path;

use seawall::error::CODES;
use seawall::metrics::categories::{CATEGORIES, category_of};
use seawall::metrics::families::FAMILIES;
use seawall::policy::breaker::CHANGES;
use seawall::policy::connection::TRANSITIONS;
use seawall::policy::tier::TIERS;

fn same(path: &str, generated: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, generated).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(found == generated, "{path} differs from the code. Run: UPDATE=1 cargo test --test conformance generated");
}

#[test]
fn the_table_of_codes_for_typescript_is_current() {
    let mut text = String::from(
        "// Written from src/error.rs by `UPDATE=1 cargo test --test conformance generated`. Do not edit.\n\n\
         import type { Origin, RetryAdvice } from \"./errors.ts\";\n\n\
         /** What the core's table says about one code. */\n\
         export interface CodeFacts {\n  readonly name: string;\n  readonly origin: Origin;\n  readonly retry: RetryAdvice;\n  \
         readonly what: string;\n  readonly remedy: string;\n  /** `what` and `remedy` in one string. */\n  \
         readonly message: string;\n}\n\n\
         /** In the order of the codes' numbers, from 1. */\nexport const CODES: readonly CodeFacts[] = [\n",
    );
    for facts in CODES {
        writeln!(
            text,
            "  {{\n    name: \"{}\",\n    origin: \"{}\",\n    retry: \"{}\",\n    what: \"{}\",\n    remedy: \"{}\",\n    message:\n      \"{} {}\",\n  }},",
            facts.name,
            facts.origin.name(),
            facts.retry.name(),
            facts.what,
            facts.remedy,
            facts.what,
            facts.remedy
        )
        .unwrap();
    }
    text.push_str("];\n\n/** Why the circuit changed, in the order of the reasons' numbers, from 0. */\nexport const CHANGES = [\n");
    for (number, change) in CHANGES.iter().enumerate() {
        assert_eq!(*change as usize, number, "{}", change.name());
        writeln!(text, "  \"{}\",", change.name()).unwrap();
    }
    text.push_str("] as const;\n");
    same("js/src/codes.ts", &text);
}

#[test]
fn the_page_of_errors_is_current() {
    let mut text = String::from(
        "# Errors\n\nWritten from `src/error.rs`. A code never changes its meaning. The database's own errors pass \
         through unchanged and are not listed here.\n\n| code | who has to act | asking again helps | HTTP | what happened | what to do |\n\
         |---|---|---|---|---|---|\n",
    );
    for facts in CODES {
        let retry = facts.retry.name().replace('_', " ");
        writeln!(
            text,
            "| `{}` | {} | {retry} | {} | {} | {} |",
            facts.name,
            facts.origin.name(),
            facts.status,
            facts.what,
            facts.remedy
        )
        .unwrap();
    }
    same("docs/errors.md", &text);
}

#[test]
fn the_page_of_connection_states_is_current() {
    let mut text = String::from(
        "# Connection states\n\nWritten from `src/policy/connection.rs`. A transition that is not in this table is \
         refused and changes nothing.\n\n| from | to | when |\n|---|---|---|\n",
    );
    for (from, to, when) in TRANSITIONS {
        writeln!(text, "| {} | {} | {when} |", from.name(), to.name()).unwrap();
    }
    same("docs/connection-states.md", &text);
}

#[test]
fn the_table_of_tiers_for_typescript_is_current() {
    let mut text = String::from(
        "// Written from src/policy/tier.rs by `UPDATE=1 cargo test --test conformance generated`. Do not edit.\n\n\
         /** What a tier gives. Times are in milliseconds. */\nexport const TIERS = {\n",
    );
    for it in TIERS {
        writeln!(
            text,
            "  {}: {{\n    minConnections: {},\n    maxConnections: {},\n    maxConcurrent: {},\n    timeout: {},\n    priority: \"{}\",\n  }},",
            it.name,
            it.connections_min,
            it.connections_max,
            it.concurrent_max,
            it.timeout_ms,
            format!("{:?}", it.priority).to_lowercase()
        )
        .unwrap();
    }
    text.push_str("} as const;\n");
    same("js/src/tenants/tier-table.ts", &text);
}

#[test]
fn the_openapi_document_is_current() {
    let text = serde_json::to_string_pretty(&seawall::http::openapi::made("/api")).unwrap();
    same("docs/openapi.json", &(text + "\n"));
}

#[test]
fn the_categories_of_metrics_for_the_command_line_are_current() {
    let mut text = String::from(
        "// Written from src/metrics/categories.rs by `UPDATE=1 cargo test --test conformance generated`. Do not edit.\n\n\
         /** What metrics can be about. */\nexport const CATEGORIES = [\n",
    );
    for category in CATEGORIES {
        writeln!(text, "  \"{category}\",").unwrap();
    }
    text.push_str(
        "] as const;\n\n/** The category of each family of ours; what is not here is the application's own. */\n\
         export const CATEGORY_OF: Readonly<Record<string, (typeof CATEGORIES)[number]>> = {\n",
    );
    for family in FAMILIES {
        writeln!(text, "  {}: \"{}\",", family.name, category_of(family.name)).unwrap();
    }
    text.push_str("};\n");
    same("js/src/cli/metric-categories.ts", &text);
}
