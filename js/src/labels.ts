// Counts operations by the names that their callers gave them, within a bound: names may come from users.

import type { OperationStatus } from "./status.ts";

/** Names of an operation, as attributes of what is counted. */
export interface Labels {
  operation: string;
  /** Empty if none was named. */
  table: string;
}

/** Pairs of names that are counted by themselves; later ones are counted as {@link OTHER}. */
export const LABELS_MAX = 100;
/** Where names beyond the bound are counted. */
export const OTHER = "other";
const NAME_MAX = 100;

/** What was counted since the client was made. */
export class LabelledCounts {
  readonly #counts = new Map<string, OperationStatus>();

  /** Counts one operation that has ended. */
  record(labels: Labels, isFailure: boolean, durationMs: number): void {
    const counts = this.#of(labels.operation.slice(0, NAME_MAX), labels.table.slice(0, NAME_MAX));
    counts.calls += 1;
    counts.failures += isFailure ? 1 : 0;
    counts.durationMs += Math.max(durationMs, 0);
  }

  /** A copy of the counts, in the order of their first use. */
  list(): OperationStatus[] {
    return [...this.#counts.values()].map((counts) => ({ ...counts }));
  }

  #of(operation: string, table: string): OperationStatus {
    const key = JSON.stringify([operation, table]);
    return this.#counts.get(key) ?? (this.#counts.size < LABELS_MAX ? this.#add(key, operation, table) : this.#other());
  }

  #other(): OperationStatus {
    return this.#counts.get(OTHER) ?? this.#add(OTHER, OTHER, "");
  }

  #add(key: string, operation: string, table: string): OperationStatus {
    const counts: OperationStatus = { operation, table, calls: 0, failures: 0, durationMs: 0 };
    this.#counts.set(key, counts);
    return counts;
  }
}
