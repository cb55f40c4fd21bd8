// Rows that a plan visits. Twin of src/query/plan.rs, which says why; tests/conformance/plans.json holds both to the same plans.
//
// In the core it would add 9 KB to what everybody loads, for a check that is off by default.

/** One row of `EXPLAIN QUERY PLAN`. */
export interface PlanLine {
  readonly id: number;
  /** The line that it is a part of; 0 for none. */
  readonly parent: number;
  readonly detail: string;
}

/** Rows of a table whose size nobody knows, and of a virtual one. */
const ROWS_DEFAULT = 1_048_576;
const VIRTUAL_ROWS = 25;
/** A larger plan costs infinitely much. */
const LINES_MAX = 1_000;
const DEPTH_MAX = 100;

const VIRTUAL = " VIRTUAL TABLE ";
const NESTED = /^(?:COMPOUND|MERGE|MULTI-INDEX) /;
const PART = /^(?:LEFT-MOST|UNION|EXCEPT|INTERSECT|LEFT|RIGHT|SETUP|RECURSIVE|INDEX) /;

/** Rows visited, estimated. `sizeOf` gives the rows of a table by its name in the plan, which may be an alias. */
export function planCost(lines: readonly PlanLine[], sizeOf: (name: string) => number | undefined): number {
  if (lines.length > LINES_MAX) return Number.POSITIVE_INFINITY;
  let visited = 0;
  /** Subqueries by name, and the rows that each gives. */
  const given = new Map<string, number>();
  const rowsOf = (name: string, detail: string) => {
    const known = given.get(name);
    if (known !== undefined) return Math.max(known, 1);
    return sizeOf(name) ?? (detail.includes(VIRTUAL) ? VIRTUAL_ROWS : ROWS_DEFAULT);
  };
  /** Adds the lines under `parent`, run `times` times; returns the rows that one run gives. */
  const level = (parent: number, times: number, depth: number): number => {
    if (depth > DEPTH_MAX) {
      visited = Number.POSITIVE_INFINITY;
      return visited;
    }
    let loops = 1;
    let union = 0;
    for (const { id, parent: own, detail } of lines) {
      if (own !== parent || id === parent) continue;
      const [verb, name = "", third] = detail.split(" ") as [string, string?, string?];
      const runs = times * loops;
      const inner = (count: number) => level(id, count, depth + 1);
      if (verb === "SCAN" && name === "CONSTANT") {
        visited += runs;
      } else if (verb === "SCAN" && third === "CONSTANT") {
        const rows = /^\d+$/.test(name) ? Number(name) : 1;
        visited += runs * rows;
        loops *= rows;
      } else if (verb === "SCAN") {
        const rows = rowsOf(name, detail);
        visited += runs * rows;
        loops *= rows;
      } else if (verb === "SEARCH" && third === undefined) {
        // The smallest or the greatest, without an index.
        visited += runs * rowsOf(name, detail);
      } else if (verb === "SEARCH") {
        const rows = rowsOf(name, detail);
        if (detail.includes(" AUTOMATIC ")) visited += times * rows;
        const rowsFound = found(detail, rows);
        visited += runs * rowsFound;
        loops *= rowsFound;
      } else if (detail.startsWith("USE TEMP B-TREE")) {
        visited += runs;
      } else if (verb === "CORRELATED") {
        inner(runs);
      } else if (verb === "MATERIALIZE" || verb === "CO-ROUTINE") {
        given.set(name, inner(times));
      } else if (NESTED.test(`${detail} `)) {
        loops *= Math.max(inner(times), 1);
      } else if (PART.test(`${detail} `)) {
        union += inner(times);
        if (detail.endsWith(" USING TEMP B-TREE")) visited += times * union;
      } else {
        inner(times);
      }
    }
    return union > 0 ? union : loops;
  };
  level(0, 1, 0);
  return visited;
}

/** Rows that a search finds among `rows`. */
function found(detail: string, rows: number): number {
  // The constraints stand in the last parentheses.
  const at = detail.lastIndexOf(" (");
  const terms = at < 0 ? "" : detail.slice(at + 2);
  if (detail.includes("INTEGER PRIMARY KEY") && /rowid(?:=| IN)/.test(terms)) return 1;
  const count = (of: RegExp) => terms.match(of)?.length ?? 0;
  const bounds = count(/[<>]/g);
  const equalities = Math.max(count(/=/g) - count(/<=/g), 0);
  const byEquality = equalities === 0 ? rows : Math.floor(Math.floor(rows / 10) / 4 ** (equalities - 1));
  return Math.max(Math.floor(byEquality / 4 ** bounds), 1);
}
