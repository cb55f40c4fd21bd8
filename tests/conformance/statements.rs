//! Statements with what is known of them: SQLite's documented grammar, and what Drizzle, Prisma and knex write.
//!
//! `tests/contract/statements.test.ts` asks a server about the same file.

use seawall::query::{Kind, Statement, Verb, kind_of, normal_text, table_hash};
use serde::Deserialize;

#[derive(Deserialize)]
struct Corpus {
    statements: Vec<(String, String, String, String)>,
}

fn corpus() -> Vec<(String, String, String, String)> {
    serde_json::from_str::<Corpus>(include_str!("statements.json")).unwrap().statements
}

fn flags(statement: &Statement) -> String {
    let kind = match statement.kind {
        Kind::Read => "read",
        Kind::Write => "write",
        Kind::Unknown => "unknown",
    };
    let verb = format!("{:?}", statement.verb).to_lowercase();
    let cacheable = if statement.is_cacheable { " cacheable" } else { "" };
    let everything = if statement.touches_everything { " everything" } else { "" };
    format!("{kind} {verb}{cacheable}{everything}")
}

/// Table names have spaces in one case only, which stands alone.
fn hashes(tables: &str) -> Vec<u32> {
    let names: Vec<&str> = if tables == "my table" { vec![tables] } else { tables.split_whitespace().collect() };
    sorted(&names.into_iter().map(table_hash).collect::<Vec<u32>>())
}

fn sorted(hashes: &[u32]) -> Vec<u32> {
    let mut hashes = hashes.to_vec();
    hashes.sort_unstable();
    hashes
}

#[test]
fn statements_are_what_the_corpus_says() {
    let mut problems = Vec::new();
    for (sql, expected, reads, writes) in corpus() {
        let statement = Statement::of(&sql);
        let found = flags(&statement);
        if found != expected {
            problems.push(format!("{sql:?}\n  is {found}\n  not {expected}"));
        }
        if statement.kind != Kind::Unknown
            && (sorted(&statement.reads) != hashes(&reads) || sorted(&statement.writes) != hashes(&writes))
        {
            problems.push(format!("{sql:?}: other tables than {reads:?} and {writes:?}"));
        }
        assert_eq!(kind_of(&sql), statement.kind);
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn comments_blanks_and_case_change_nothing() {
    for (sql, ..) in corpus() {
        let plain = Statement::of(&sql);
        let tokens: Vec<&str> = seawall::query::token::Tokens::new(sql.as_bytes())
            .map(|token| std::str::from_utf8(token.text).unwrap())
            .collect();
        if tokens.is_empty() || plain.verb == Verb::Other {
            continue;
        }
        let noisy = format!("\n/* SELECT ' */ {} -- \" ;", tokens.join("/**/ -- '\n\t"));
        assert_eq!(Statement::of(&noisy), plain, "{noisy}");
        assert_eq!(normal_text(&noisy), normal_text(&sql), "{noisy}");
    }
}

#[test]
fn packed_bits_hold_the_statement() {
    assert_eq!(Statement::of("SELECT 1").bits(), 1 << 4 | 1 << 2);
    assert_eq!(Statement::of("DELETE FROM t").bits(), 4 << 4 | 1);
    assert_eq!(Statement::of("EXPLAIN SELECT 1").bits(), 10 << 4);
    assert_eq!(Statement::of("nothing").bits(), 1 << 3 | 2);
}

#[test]
fn a_statement_with_too_many_tables_touches_everything() {
    let tables = |count: usize| (0..count).map(|at| format!("t{at}")).collect::<Vec<_>>().join(",");
    let few = Statement::of(&format!("SELECT * FROM {}", tables(64)));
    assert!(few.is_cacheable && !few.touches_everything);
    let many = Statement::of(&format!("SELECT * FROM {}", tables(65)));
    assert!(!many.is_cacheable && many.touches_everything);
    assert_eq!(many.kind, Kind::Read);
}
