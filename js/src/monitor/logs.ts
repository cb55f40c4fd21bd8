// What the watched databases have logged, for the monitor: each record once.

import type { LogRecord } from "../telemetry/logger.ts";
import type { Watched } from "./watched.ts";

/** A record as the monitor's core takes it. */
export type CoreRecord = Omit<LogRecord, "time"> & { atMs: number };

/** Remembers what it has read of each database. */
export class LogReader {
  readonly #seen = new Map<string, number>();

  /** Records that are new since the last time, oldest first. */
  read(databases: readonly Watched[]): CoreRecord[] {
    const all = databases.flatMap((database) => {
      const { name } = database;
      const before = this.#seen.get(name) ?? 0;
      let found = database.logs(before);
      // A client that was replaced by another of its name has begun anew.
      if (found !== undefined && found.seen < before) found = database.logs(0);
      if (found === undefined) return [];
      this.#seen.set(name, found.seen);
      return found.records.map(({ time, ...record }) => ({ ...record, atMs: Date.parse(time) }));
    });
    return all.sort((a, b) => a.atMs - b.atMs);
  }
}
