// What a statement would cost, by what the database says of its plan: asked once for each text, before it runs.

import type { ResultSet } from "../api.ts";
import { makeError } from "../errors.ts";
import { type PlanLine, planCost } from "./plan-cost.ts";

/** Statements that would visit too many rows are not run. */
export interface QueryCostOptions {
  /** Rows that a statement may visit, by the estimate. */
  limit: number;
  /** Milliseconds that an estimate, and the sizes of tables, are kept. Default 600,000. */
  ttl?: number;
  /**
   * Rows of tables by name, as in the plan, where an alias stands for its table. Of others the database is asked, once in a
   * while, from which rowid to which their rows go. Where that says nothing, as of an alias, a view or ids made by chance, a
   * table counts as 1,048,576 rows, which is SQLite's own guess.
   */
  tableRows?: Readonly<Record<string, number>>;
}

/** Asks the database one thing, beside the operation that is to run. */
export type Ask = (sql: string) => Promise<ResultSet>;

interface Estimate {
  readonly rows: number;
  readonly untilMs: number;
}

const TTL_DEFAULT_MS = 600_000;
const TEXTS_MAX = 500;
/** Longer texts hold literals, so they do not come again. */
const LENGTH_MAX = 4_000;
/** Tables that are remembered, and those of one plan that are asked about. */
const TABLES_MAX = 500;
const TABLES_OF_PLAN_MAX = 8;
/** A wider range of rowids holds ids that nobody counted up. */
const RANGE_MAX = 2 ** 31;
const UNKNOWN = -1;
/** Nothing to plan: these say so, or do no work. */
const PLANLESS = /^\s*(?:pragma|begin|commit|end|rollback|savepoint|release|explain|attach|detach|vacuum|analyze)\b/i;

/** The estimates of one database. */
export class QueryCost {
  readonly #limit: number;
  readonly #ttlMs: number;
  readonly #given: Readonly<Record<string, number>>;
  readonly #now: () => number;
  readonly #known = new Map<string, Estimate>();
  /** Rows of tables; negative for what nobody knows. */
  readonly #sizes = new Map<string, Estimate>();

  /** @throws RangeError for a limit, a time or a number of rows that is none. */
  constructor(options: QueryCostOptions, now: () => number) {
    this.#limit = positive("queryCost.limit", options.limit);
    this.#ttlMs = positive("queryCost.ttl", options.ttl ?? TTL_DEFAULT_MS);
    this.#given = options.tableRows ?? {};
    for (const [name, rows] of Object.entries(this.#given)) positive(`queryCost.tableRows.${name}`, rows);
    this.#now = now;
  }

  /** Whether a text has to be asked about before it runs. Throws at once for one that is known to cost too much. */
  isUnknown(sql: string): boolean {
    if (PLANLESS.test(sql)) return false;
    const known = this.#known.get(sql);
    if (known === undefined || known.untilMs <= this.#now()) return true;
    this.#judge(known.rows);
    return false;
  }

  /**
   * Asks about a text, if nothing is known of it.
   *
   * @throws QueryTooExpensiveError when the estimate is above the limit. What goes wrong with asking blocks nothing.
   */
  async check(sql: string, ask: Ask): Promise<void> {
    if (!this.isUnknown(sql)) return;
    const rows = await this.#estimate(sql, ask);
    if (rows === undefined) return;
    if (sql.length <= LENGTH_MAX) this.#remember(this.#known, TEXTS_MAX, sql, rows);
    this.#judge(rows);
  }

  /** The same of several texts, one after the other. */
  async checkAll(texts: readonly string[], ask: Ask): Promise<void> {
    for (const sql of texts) await this.check(sql, ask);
  }

  async #estimate(sql: string, ask: Ask): Promise<number | undefined> {
    try {
      const plan = await ask(`EXPLAIN QUERY PLAN ${sql}`);
      // Columns: id, parent, notused, detail.
      const lines = plan.rows.map((row) => ({ id: Number(row[0]), parent: Number(row[1]), detail: String(row[3]) }));
      const sizes = new Map<string, number>();
      for (const name of tablesOf(lines)) {
        const size = await this.#sizeOf(name, ask);
        if (size >= 0) sizes.set(name, size);
      }
      return planCost(lines, (name) => sizes.get(name));
    } catch {
      return undefined;
    }
  }

  /** Rows of a table as they were given, or as its first and last rowid say; negative if nobody knows. */
  async #sizeOf(name: string, ask: Ask): Promise<number> {
    if (Object.hasOwn(this.#given, name)) return this.#given[name] as number;
    const known = this.#sizes.get(name);
    if (known !== undefined && known.untilMs > this.#now()) return known.rows;
    const quoted = `"${name.replaceAll('"', '""')}"`;
    let rows = UNKNOWN;
    try {
      const first = `SELECT min(rowid) FROM ${quoted}`;
      const range = Number((await ask(`SELECT (SELECT max(rowid) FROM ${quoted}) - (${first}) + 1`)).rows[0]?.[0]);
      if (range >= 0 && range <= RANGE_MAX) rows = range;
    } catch {
      // An alias, a view, or a table without rowids.
    }
    this.#remember(this.#sizes, TABLES_MAX, name, rows);
    return rows;
  }

  #remember(known: Map<string, Estimate>, max: number, key: string, rows: number): void {
    known.delete(key);
    if (known.size >= max) {
      for (const oldest of known.keys()) {
        known.delete(oldest);
        break;
      }
    }
    known.set(key, { rows, untilMs: this.#now() + this.#ttlMs });
  }

  #judge(estimate: number): void {
    if (estimate <= this.#limit) return;
    throw makeError(
      "QUERY_TOO_EXPENSIVE",
      `By its plan, the statement would visit about ${estimate} rows; queryCost.limit is ${this.#limit}. It was not run. Add an index that it can use, ask for less, or raise the limit.`,
      { origin: "policy", retry: "never", outcome: "not_executed", estimate, limit: this.#limit },
    );
  }
}

/** Names in the places of tables, each once. */
function tablesOf(lines: readonly PlanLine[]): Set<string> {
  const names = new Set<string>();
  for (const { detail } of lines) {
    const name = /^(?:SCAN|SEARCH) (\S+)/.exec(detail)?.[1];
    if (name !== undefined && names.size < TABLES_OF_PLAN_MAX) names.add(name);
  }
  return names;
}

function positive(name: string, value: number): number {
  if (typeof value !== "number" || !(value >= 0) || value === Number.POSITIVE_INFINITY) {
    throw new RangeError(`${name} must be a number from 0 on, got ${String(value)}`);
  }
  return value;
}
