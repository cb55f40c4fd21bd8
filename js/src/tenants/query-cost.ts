// What a statement would cost, by what the database says of its plan: asked once for each text, before it runs.

import type { ResultSet } from "../api.ts";
import { planCost } from "../core.ts";
import { makeError } from "../errors.ts";

/** Statements that would visit too many rows are not run. */
export interface QueryCostOptions {
  /** Rows that a statement may visit, by the estimate. */
  limit: number;
  /** Milliseconds that an estimate, and the sizes of tables, are kept. Default 600,000. */
  ttl?: number;
  /**
   * Rows of tables by name, as in the plan, where an alias stands for its table. They win over what the database knows from
   * `ANALYZE`. A table of which nobody knows anything counts as 1,048,576 rows, which is SQLite's own guess.
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
const SIZES = "SELECT tbl, max(CAST(stat AS INTEGER)) FROM sqlite_stat1 GROUP BY tbl";
/** Nothing to plan: these say so, or do no work. */
const PLANLESS = /^\s*(?:pragma|begin|commit|end|rollback|savepoint|release|explain|attach|detach|vacuum|analyze)\b/i;

/** The estimates of one database. */
export class QueryCost {
  readonly #limit: number;
  readonly #ttlMs: number;
  readonly #given: Readonly<Record<string, number>>;
  readonly #now: () => number;
  readonly #known = new Map<string, Estimate>();
  #tables = "";
  #rows = new Float64Array(0);
  #sizesUntilMs = 0;

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
    if (sql.length <= LENGTH_MAX) this.#remember(sql, rows);
    this.#judge(rows);
  }

  /** The same of several texts, one after the other. */
  async checkAll(texts: readonly string[], ask: Ask): Promise<void> {
    for (const sql of texts) await this.check(sql, ask);
  }

  async #estimate(sql: string, ask: Ask): Promise<number | undefined> {
    try {
      const plan = await ask(`EXPLAIN QUERY PLAN ${sql}`);
      if (this.#sizesUntilMs <= this.#now()) await this.#size(ask);
      // Columns: id, parent, notused, detail.
      const lines = plan.rows.map((row) => `${row[0]} ${row[1]} ${String(row[3]).replaceAll("\n", " ")}`);
      return planCost(lines.join("\n"), this.#tables, this.#rows);
    } catch {
      return undefined;
    }
  }

  /** Sizes as `ANALYZE` left them, if it ever ran, and as they were given. */
  async #size(ask: Ask): Promise<void> {
    this.#sizesUntilMs = this.#now() + this.#ttlMs;
    const sizes = new Map<string, number>();
    try {
      for (const row of (await ask(SIZES)).rows) sizes.set(String(row[0]), Number(row[1]));
    } catch {
      // There are no statistics.
    }
    for (const [name, rows] of Object.entries(this.#given)) sizes.set(name, rows);
    this.#tables = [...sizes.keys()].join("\n");
    this.#rows = Float64Array.from(sizes.values());
  }

  #remember(sql: string, rows: number): void {
    this.#known.delete(sql);
    if (this.#known.size >= TEXTS_MAX) {
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest);
        break;
      }
    }
    this.#known.set(sql, { rows, untilMs: this.#now() + this.#ttlMs });
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

function positive(name: string, value: number): number {
  if (typeof value !== "number" || !(value >= 0) || value === Number.POSITIVE_INFINITY) {
    throw new RangeError(`${name} must be a number from 0 on, got ${String(value)}`);
  }
  return value;
}
