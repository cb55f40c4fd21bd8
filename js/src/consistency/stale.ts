// The mark on results that lack what their reader had asked to see.
import type { ResultSet } from "../api.ts";

/** Not enumerable, so that a stale result is otherwise what a fresh one is. */
const MARK = { value: Object.freeze({ stale: true }), configurable: true };

/** Marks the results, if they are stale, and returns them. */
export function marked<T extends ResultSet | ResultSet[]>(results: T, isStale: boolean | undefined): T {
  if (isStale === true) {
    for (const result of Array.isArray(results) ? results : [results]) Object.defineProperty(result, "seawall", MARK);
  }
  return results;
}
