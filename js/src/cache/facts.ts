// What the cache must know of a statement, as the core reads it from its text. The seam to `statement.ts`.

import type { StatementKind } from "../operation.ts";
import { Statements, tableHash } from "../statement.ts";
import { ALL_TABLES, type TableSet, type Tables } from "./tables.ts";

/** What is known of one statement. */
export interface StatementFacts {
  readonly kind: StatementKind;
  /** Whether the same arguments give the same rows for as long as no table changes. */
  readonly isCacheable: boolean;
  /** The tables that it reads, if it is a read, or else writes. */
  readonly tables: TableSet;
}

/** Statements and names of tables, for one cache. */
export class Facts {
  readonly #statements = new Statements();
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  of(sql: string): StatementFacts {
    const { kind, isCacheable, touchesEverything, reads, writes } = this.#statements.of(sql);
    const touched = kind === "read" ? reads : writes;
    const isKnown = !touchesEverything && kind !== "unknown";
    return { kind, isCacheable, tables: isKnown ? this.#tables.setOf(touched) : ALL_TABLES };
  }

  /** The set of these tables, by their names. */
  named(names: readonly string[]): TableSet {
    return this.#tables.setOf(names.map(tableHash));
  }
}
