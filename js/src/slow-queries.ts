// Statements whose requests took long: their texts without literals, and how long they took. Within a bound.

import { normalText } from "./core.ts";
import { type AnyStatement, sqlOf } from "./hrana/encode.ts";
import type { Attempt } from "./operation.ts";
import type { Platform } from "./platform/platform.ts";
import type { TraceContext } from "./telemetry/trace-context.ts";

/** One slow request. */
export interface SlowQueryEvent {
  /** Its statements without literals and comments, at most 1,000 characters; those of a batch with `; ` between them. */
  text: string;
  durationMs: number;
  /** Rows that came back. */
  rows: number;
  /** Whether it ended without a result. */
  hasFailed: boolean;
  /** When it ended, in milliseconds since the epoch. */
  atMs: number;
  /** Its place in a trace, where operations are traced. */
  trace?: TraceContext;
}

/** Told of a slow request after it has ended. What it returns is awaited by nobody. */
export type SlowQueryListener = (event: SlowQueryEvent) => unknown;

/** All slow requests of one text. */
export interface SlowQuery {
  text: string;
  count: number;
  /** How many of them ended without a result. */
  failures: number;
  totalMs: number;
  maxMs: number;
  lastMs: number;
  /** When the last one ended, in milliseconds since the epoch. */
  lastAtMs: number;
  /** Rows that came back, of all of them. */
  rows: number;
}

/** What was slow, in numbers. */
export interface SlowQueryStatus {
  /** Milliseconds; 0 when nothing is noted. */
  thresholdMs: number;
  count: number;
  /** How often `onSlowQuery` threw or rejected. */
  listenerFailures: number;
}

/** Texts that are kept apart; beyond it the one with the least total time makes room. */
export const TEXTS_MAX = 100;
/** Characters that are read of a statement: its text ends after 1,000 bytes anyway. */
const SQL_MAX = 20_000;
/** Characters of a text, at most. */
const TEXT_MAX = 1_002;

/** What was slow since the client was made. */
export class SlowQueries {
  readonly #thresholdMs: number;
  readonly #platform: Platform;
  readonly #listener: SlowQueryListener | undefined;
  readonly #queries = new Map<string, SlowQuery>();
  #count = 0;
  #listenerFailures = 0;

  constructor(thresholdMs: number, platform: Platform, listener?: SlowQueryListener) {
    this.#thresholdMs = thresholdMs;
    this.#platform = platform;
    this.#listener = listener;
  }

  /** Notes requests that take longer; none with a threshold of 0. */
  static above(thresholdMs: number, platform: Platform, listener?: SlowQueryListener): SlowQueries | undefined {
    return thresholdMs > 0 ? new SlowQueries(thresholdMs, platform, listener) : undefined;
  }

  /** What the status document says of it. */
  static statusOf(slow: SlowQueries | undefined): SlowQueryStatus {
    if (slow === undefined) return { thresholdMs: 0, count: 0, listenerFailures: 0 };
    return { thresholdMs: slow.#thresholdMs, count: slow.#count, listenerFailures: slow.#listenerFailures };
  }

  now(): number {
    return this.#platform.now();
  }

  /** Notes a request that began then and has ended, if it was slow. */
  ended(
    beganMs: number,
    statements: readonly AnyStatement[],
    rows: number,
    hasFailed: boolean,
    trace?: TraceContext,
  ): void {
    const atMs = this.#platform.now();
    const durationMs = atMs - beganMs;
    if (!(durationMs > this.#thresholdMs)) return;
    this.#count += 1;
    const text = textOf(statements);
    const query = this.#queries.get(text) ?? this.#add(text);
    query.count += 1;
    query.failures += hasFailed ? 1 : 0;
    query.totalMs += durationMs;
    query.maxMs = Math.max(query.maxMs, durationMs);
    query.lastMs = durationMs;
    query.lastAtMs = atMs;
    query.rows += rows;
    if (this.#listener === undefined) return;
    const event: SlowQueryEvent = { text, durationMs, rows, hasFailed, atMs };
    this.#tell(this.#listener, trace === undefined ? event : { ...event, trace });
  }

  /** Copies, the greatest total time first. */
  list(limit = TEXTS_MAX): SlowQuery[] {
    const all = [...this.#queries.values()].sort((a, b) => b.totalMs - a.totalMs);
    return all.slice(0, Math.max(limit, 0)).map((query) => ({ ...query }));
  }

  #add(text: string): SlowQuery {
    if (this.#queries.size >= TEXTS_MAX) {
      let least: SlowQuery | undefined;
      for (const query of this.#queries.values()) if (!(query.totalMs >= (least?.totalMs ?? Infinity))) least = query;
      if (least !== undefined) this.#queries.delete(least.text);
    }
    const query = { text, count: 0, failures: 0, totalMs: 0, maxMs: 0, lastMs: 0, lastAtMs: 0, rows: 0 };
    this.#queries.set(text, query);
    return query;
  }

  #tell(listener: SlowQueryListener, event: SlowQueryEvent): void {
    const told = Promise.resolve()
      .then(() => listener(event))
      .then(
        () => {},
        () => {
          this.#listenerFailures += 1;
        },
      );
    this.#platform.waitUntil(told);
  }
}

/** An attempt that notes how long its request took, if `slow` is there to. `rowsOf` counts what came back. */
export function timed<T>(
  slow: SlowQueries | undefined,
  statements: readonly AnyStatement[],
  rowsOf: (value: T) => number,
  attempt: Attempt<T>,
): Attempt<T> {
  if (slow === undefined) return attempt;
  return async (cx) => {
    const beganMs = slow.now();
    let rows = 0;
    let hasFailed = true;
    try {
      const value = await attempt(cx);
      rows = rowsOf(value);
      hasFailed = false;
      return value;
    } finally {
      slow.ended(beganMs, statements, rows, hasFailed, cx.trace);
    }
  };
}

/** Rows of one result. */
export function rowsOfOne(set: { rows: readonly unknown[] }): number {
  return set.rows.length;
}

/** A script tells of no rows. */
export function noRows(): number {
  return 0;
}

/** Rows of all results of a batch. */
export function rowsOfAll(sets: readonly { rows: readonly unknown[] }[]): number {
  return sets.reduce((rows, set) => rows + set.rows.length, 0);
}

/** Each by itself: a literal without an end must not turn the next one inside out. Equal neighbours are one. */
export function textOf(statements: readonly AnyStatement[]): string {
  let text = "";
  let last: string | undefined;
  for (const statement of statements) {
    const own = normalText(sqlOf(statement).slice(0, SQL_MAX)) ?? "?";
    if (own === last) continue;
    if (text.length + own.length + 2 > TEXT_MAX) break;
    text = last === undefined ? own : `${text}; ${own}`;
    last = own;
  }
  return text;
}
