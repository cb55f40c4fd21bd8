//! How much work a statement is, by what `EXPLAIN QUERY PLAN` says of it.
//!
//! The unit is **rows visited**, estimated. A plan is a tree of lines; the formula:
//!
//! | line | rows that it visits, `n` being the rows of its table |
//! |---|---|
//! | `SCAN t`, with an index or without | `n` |
//! | `SCAN CONSTANT ROW`, `SCAN n CONSTANT ROWS` | 1, `n` |
//! | `… VIRTUAL TABLE …` | [`VIRTUAL_ROWS`], if its size is not given |
//! | `SEARCH t USING INTEGER PRIMARY KEY (rowid=?)`, `… (rowid IN …)` | 1 |
//! | `SEARCH t USING [COVERING] INDEX i (a=? AND b=?)` | `n ÷ 10` for the first equality, `÷ 4` for each further one, at least 1 |
//! | a range in it, `(a>?)` | `÷ 4` for each bound |
//! | `SEARCH t`, for `min` or `max` without an index | `n`, and it gives 1 |
//! | `SEARCH t USING AUTOMATIC … INDEX` | as an index, after `n` once for making it |
//! | `USE TEMP B-TREE FOR …` | what the level under it gives, once more: it is kept and sorted. `UNION USING TEMP B-TREE` too |
//! | what a subquery gives is scanned by its name | the rows that it gave, at least 1 |
//!
//! Lines of one level beside each other are nested loops, so each is visited as often as those before it give rows.
//! `CORRELATED` subqueries run for each row of the loops before them, other subqueries, `MATERIALIZE`, `CO-ROUTINE` and
//! the parts of a `COMPOUND QUERY` once. A table whose size is not given has [`ROWS_DEFAULT`] rows, which is SQLite's own
//! guess without statistics; 25 for a virtual table is too. So does a second name of one materialized subquery. The factors 10 and 4 are near to its defaults for indexes.
//!
//! With 1,000 rows in `t` and 50 in `u`, `SCAN t` and `SEARCH u USING INTEGER PRIMARY KEY (rowid=?)` visit 1,000 and
//! 1,000 × 1: 2,000.

/// Rows of a table whose size nobody gave.
pub const ROWS_DEFAULT: u64 = 1_048_576;
/// Rows of a virtual table, or of a function in the place of a table, whose size nobody gave.
pub const VIRTUAL_ROWS: u64 = 25;
/// Lines of a plan that are read; with more it costs [`u64::MAX`].
pub const LINES_MAX: usize = 1_000;
const DEPTH_MAX: usize = 100;

/// One row of `EXPLAIN QUERY PLAN`.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Its number.
    pub id: i64,
    /// The line that it is a part of; 0 for none.
    pub parent: i64,
    /// What is done.
    pub detail: &'a str,
}

/// What a plan costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Rows visited, estimated; saturates.
    pub rows: u64,
    /// Tables that are read from end to end.
    pub scans: u32,
    /// Results that are kept to be sorted or made distinct.
    pub sorts: u32,
    /// Subqueries that run once for each row around them.
    pub correlated: u32,
    /// Indexes that are made for this statement only.
    pub automatic_indexes: u32,
}

/// Estimates what a plan costs. `size_of` gives the rows of a table by its name in the plan, which may be an alias.
///
/// Lines in the order of the server's answer. Lines that are not understood cost nothing.
#[must_use]
pub fn cost(lines: &[Line<'_>], size_of: &dyn Fn(&str) -> Option<u64>) -> Cost {
    if lines.len() > LINES_MAX {
        return Cost { rows: u64::MAX, ..Cost::default() };
    }
    let mut estimate = Estimate { lines, size_of, given: Vec::new(), cost: Cost::default() };
    estimate.level(0, 1, 0);
    estimate.cost
}

struct Estimate<'a> {
    lines: &'a [Line<'a>],
    size_of: &'a dyn Fn(&str) -> Option<u64>,
    /// Subqueries by name, and the rows that each gives.
    given: Vec<(&'a str, u64)>,
    cost: Cost,
}

impl<'a> Estimate<'a> {
    /// Adds the lines under `parent`, run `times` times; returns the rows that one run gives.
    fn level(&mut self, parent: i64, times: u64, depth: usize) -> u64 {
        if depth > DEPTH_MAX {
            self.cost.rows = u64::MAX;
            return u64::MAX;
        }
        let lines = self.lines;
        let mut loops = 1_u64;
        let mut union = 0_u64;
        for line in lines.iter().filter(|line| line.parent == parent && line.id != parent) {
            let detail = line.detail;
            let words: Vec<&'a str> = detail.split(' ').collect();
            let runs = times.saturating_mul(loops);
            match words.as_slice() {
                ["SCAN", "CONSTANT", ..] => self.visit(runs),
                ["SCAN", count, "CONSTANT", ..] => {
                    let rows = count.parse().unwrap_or(1);
                    self.visit(runs.saturating_mul(rows));
                    loops = loops.saturating_mul(rows);
                }
                ["SCAN", name, ..] => {
                    let rows = self.rows_of(name, detail);
                    self.cost.scans += u32::from(!detail.contains(" VIRTUAL TABLE "));
                    self.visit(runs.saturating_mul(rows));
                    loops = loops.saturating_mul(rows);
                }
                // The smallest or the greatest, without an index.
                ["SEARCH", name] => {
                    let rows = self.rows_of(name, detail);
                    self.cost.scans += 1;
                    self.visit(runs.saturating_mul(rows));
                }
                ["SEARCH", name, ..] => {
                    let rows = self.rows_of(name, detail);
                    if detail.contains(" AUTOMATIC ") {
                        self.cost.automatic_indexes += 1;
                        self.visit(times.saturating_mul(rows));
                    }
                    let found = found(detail, rows);
                    self.visit(runs.saturating_mul(found));
                    loops = loops.saturating_mul(found);
                }
                ["USE", "TEMP", "B-TREE", ..] => {
                    self.cost.sorts += 1;
                    self.visit(runs);
                }
                ["CORRELATED", ..] => {
                    self.cost.correlated += 1;
                    self.level(line.id, runs, depth + 1);
                }
                ["MATERIALIZE" | "CO-ROUTINE", name, ..] => {
                    let rows = self.level(line.id, times, depth + 1);
                    self.given.push((name, rows));
                }
                ["COMPOUND" | "MERGE" | "MULTI-INDEX", ..] => {
                    let rows = self.level(line.id, times, depth + 1);
                    loops = loops.saturating_mul(rows.max(1));
                }
                [
                    "LEFT-MOST" | "UNION" | "EXCEPT" | "INTERSECT" | "LEFT" | "RIGHT" | "SETUP" | "RECURSIVE" | "INDEX",
                    ..,
                ] => {
                    union = union.saturating_add(self.level(line.id, times, depth + 1));
                    if detail.ends_with(" USING TEMP B-TREE") {
                        self.cost.sorts += 1;
                        self.visit(times.saturating_mul(union));
                    }
                }
                _ => {
                    self.level(line.id, times, depth + 1);
                }
            }
        }
        if union > 0 { union } else { loops }
    }

    fn visit(&mut self, rows: u64) {
        self.cost.rows = self.cost.rows.saturating_add(rows);
    }

    fn rows_of(&self, name: &str, detail: &str) -> u64 {
        let guess = if detail.contains(" VIRTUAL TABLE ") { VIRTUAL_ROWS } else { ROWS_DEFAULT };
        let given = self.given.iter().rev().find(|(given, _)| *given == name);
        given.map(|&(_, rows)| rows.max(1)).or_else(|| (self.size_of)(name)).unwrap_or(guess)
    }
}

/// Rows that a search finds among `rows`.
fn found(detail: &str, rows: u64) -> u64 {
    // The constraints stand in the last parentheses.
    let terms = detail.rsplit_once(" (").map_or("", |(_, terms)| terms);
    if detail.contains("INTEGER PRIMARY KEY") && (terms.contains("rowid=") || terms.contains("rowid IN")) {
        return 1;
    }
    let bounds = terms.matches(['<', '>']).count() as u32;
    let equalities = (terms.matches('=').count() as u32).saturating_sub(terms.matches("<=").count() as u32);
    let by_equality = match equalities {
        0 => rows,
        more => rows / 10 / 4_u64.saturating_pow(more - 1),
    };
    (by_equality / 4_u64.saturating_pow(bounds)).max(1)
}
