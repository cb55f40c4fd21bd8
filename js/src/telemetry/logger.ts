// Structured logs: one record for each thing that happened, as one line of JSON. Nothing is told that `redact.ts` would not.

import type { Redactor } from "./redact.ts";
import type { TraceContext } from "./trace-context.ts";

/** How serious a record is, least first. */
export const LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LEVELS)[number];

/** One record. Its other fields depend on `msg`. */
export interface LogRecord {
  readonly level: LogLevel;
  /** What happened, in few different texts. */
  readonly msg: string;
  /** When, as ISO 8601. */
  readonly time: string;
  /** Which database: host and path, or the guard's name. */
  readonly database: string;
  readonly traceId?: string;
  readonly spanId?: string;
  readonly [field: string]: unknown;
}

/** Gets each record, already without secrets. What it throws or rejects with harms nothing. */
export type LogSink = (record: LogRecord) => unknown;

/** Records that are kept for whoever asks; the oldest make room. */
export const RECENT_MAX = 200;
/** Characters of a line, at most. */
const LINE_MAX = 16_384;
/** Characters of an item beyond which a text of a record is cut further, to keep a line within its bound. */
const SHORT = 200;

/** Writes the records of one database. */
export class Logger {
  readonly #database: string;
  readonly #least: number;
  readonly #redactor: Redactor;
  readonly #sink: LogSink;
  readonly #recent: LogRecord[] = [];
  /** How many records there were before the first of those that are kept. */
  #forgotten = 0;
  #failures = 0;
  #parent: Logger | undefined;

  constructor(database: string, level: LogLevel, redactor: Redactor, sink: LogSink = toConsole) {
    this.#database = database;
    this.#least = LEVELS.indexOf(level);
    this.#redactor = redactor;
    this.#sink = sink;
  }

  /** How often the sink threw or rejected. */
  get sinkFailures(): number {
    return this.#failures;
  }

  /** Whether records of this level are written. */
  tells(level: LogLevel): boolean {
    return LEVELS.indexOf(level) >= this.#least;
  }

  /** Writes a record, if its level is asked for. Never throws. */
  write(level: LogLevel, msg: string, atMs: number, trace: TraceContext | undefined, fields: object): void {
    if (!this.tells(level)) return;
    const { traceId, spanId } = trace ?? {};
    const place = trace === undefined ? {} : { traceId, spanId };
    const own = { level, msg, time: new Date(atMs).toISOString(), database: this.#redactor.text(this.#database, 300) };
    const safe = this.#redactor.value("", fields) as Record<string, unknown>;
    const record = bounded({ ...safe, ...own, ...place } as LogRecord);
    this.#keep(record);
    const parent = this.#parent;
    if (parent !== undefined) parent.#keep(record);
    const count = () => {
      this.#failures += 1;
    };
    try {
      const told = this.#sink(record);
      if (told instanceof Promise) told.catch(count);
    } catch {
      count();
    }
  }

  /** Keeps what `other` writes as well, so that it is found here: of another database of the same client. */
  adopt(other: Logger | undefined): void {
    if (other !== undefined && other !== this) other.#parent = this;
  }

  /** The records after the first `seen` that there ever were, and how many there are now. */
  since(seen: number): { records: LogRecord[]; seen: number } {
    const all = this.#forgotten + this.#recent.length;
    return { records: this.#recent.slice(Math.max(seen - this.#forgotten, 0)), seen: all };
  }

  #keep(record: LogRecord): void {
    this.#recent.push(record);
    if (this.#recent.length <= RECENT_MAX) return;
    this.#recent.shift();
    this.#forgotten += 1;
  }
}

/** A record as one line of JSON that is harmless in a terminal and in a page. */
export function lineOf(record: LogRecord): string {
  const { level, msg, time, traceId, spanId, ...others } = record;
  const ordered = { level, msg, time, ...(traceId === undefined ? {} : { traceId, spanId }), ...others };
  return JSON.stringify(ordered).replace(/[<>&]/g, (sign) => `\\u00${sign.charCodeAt(0).toString(16)}`);
}

/** Writes lines to the console's method of the record's level. */
export function toConsole(record: LogRecord): void {
  console[record.level](lineOf(record));
}

/** A record that fits a line: its long texts are cut, and if that is not enough, its other fields are dropped. */
function bounded(record: LogRecord): LogRecord {
  if (lineOf(record).length <= LINE_MAX) return record;
  const { level, msg, time, database, traceId, spanId, ...others } = record;
  const cut = Object.entries(others).map(([key, value]) => [
    key,
    typeof value === "string" ? value.slice(0, SHORT) : undefined,
  ]);
  const place = traceId === undefined ? {} : { traceId, spanId };
  return { ...Object.fromEntries(cut.slice(0, 20)), level, msg, time, database, ...place, isCut: true } as LogRecord;
}
