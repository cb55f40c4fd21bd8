// What is known of a statement from its text, remembered for each text.

import { describeStatement } from "./core.ts";
import type { StatementKind } from "./operation.ts";

const KINDS: readonly StatementKind[] = ["read", "write", "unknown"];
/** Verbs in the order of their numbers. */
export const VERBS = [
  "other",
  "select",
  "insert",
  "update",
  "delete",
  "schema",
  "transaction",
  "pragma",
  "attach",
  "maintenance",
  "explain",
] as const;

/** What a statement begins with: `"insert"` is `REPLACE` too, `"schema"` is `CREATE`, `DROP` and `ALTER`. */
export type Verb = (typeof VERBS)[number];

/** What is known of a statement from its text. src/query/statement.rs says what no text tells. */
export interface Statement {
  readonly kind: StatementKind;
  readonly verb: Verb;
  /** Whether its answer depends on nothing but its arguments and the tables that it reads. */
  readonly isCacheable: boolean;
  /** Whether it may touch any table, whatever it names. */
  readonly touchesEverything: boolean;
  /** Hashes of the tables that it reads, each once; `tableHash` makes them from names. */
  readonly reads: Uint32Array;
  /** The same of those that it names as targets. */
  readonly writes: Uint32Array;
}

const NONE = new Uint32Array(0);
/** For a core that has trapped: harms nothing. */
const UNKNOWN: Statement = {
  kind: "unknown",
  verb: "other",
  isCacheable: false,
  touchesEverything: true,
  reads: NONE,
  writes: NONE,
};

/** The number by which statements know a table; 0 when the core has trapped. */
export function tableHash(name: string): number {
  return describeStatement(`SELECT 1 FROM "${name.replaceAll('"', '""')}"`)?.[2] ?? 0;
}

/** This many texts are remembered; the oldest make room. */
const TEXTS_MAX = 500;
/** Longer texts are not remembered: they hold literals, so they do not come again. */
const LENGTH_MAX = 4_000;

/** Statements by their texts. */
export class Statements {
  readonly #known = new Map<string, Statement>();

  of(sql: string): Statement {
    const known = this.#known.get(sql);
    if (known !== undefined) return known;
    const numbers = describeStatement(sql);
    if (numbers === undefined) return UNKNOWN;
    const statement = statementOf(numbers);
    if (sql.length > LENGTH_MAX) return statement;
    if (this.#known.size >= TEXTS_MAX) {
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest);
        break;
      }
    }
    this.#known.set(sql, statement);
    return statement;
  }
}

function statementOf(numbers: Uint32Array): Statement {
  const [bits = 0, read = 0] = numbers;
  return {
    kind: KINDS[bits & 3] ?? "unknown",
    isCacheable: (bits & 4) !== 0,
    touchesEverything: (bits & 8) !== 0,
    verb: VERBS[(bits >> 4) & 15] ?? "other",
    reads: numbers.subarray(2, 2 + read),
    writes: numbers.subarray(2 + read),
  };
}
