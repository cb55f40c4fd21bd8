// What statements do, as the core told of them: asked once for each text.

import { kindOf } from "./core.ts";
import type { StatementKind } from "./operation.ts";

const KINDS: readonly StatementKind[] = ["read", "write", "unknown"];

/** Kinds of this many statements are remembered; the oldest make room. */
const KINDS_REMEMBERED = 500;

/** The kinds of the statements that were asked for last. */
export class StatementKinds {
  readonly #kinds = new Map<string, StatementKind>();

  of(sql: string): StatementKind {
    const known = this.#kinds.get(sql);
    if (known !== undefined) return known;
    const kind = KINDS[kindOf(sql)] ?? "unknown";
    if (this.#kinds.size >= KINDS_REMEMBERED) {
      for (const oldest of this.#kinds.keys()) {
        this.#kinds.delete(oldest);
        break;
      }
    }
    this.#kinds.set(sql, kind);
    return kind;
  }
}
