// What a trace is made of: spans, and who makes them.

import type { TraceContext } from "./trace-context.ts";

/** Values of attributes. */
export type AttributeValue = string | number | boolean;
/** What is said of a span: never an argument, a literal or a token. */
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** What a span begins with. */
export interface SpanBeginning {
  /** Says what is done, in few different texts: `SELECT users`. */
  readonly name: string;
  /** `"client"` for what asks a database, `"internal"` for a part of it. */
  readonly kind: "client" | "internal";
  /** What it is a part of, or who asked for it; undefined for whatever the tracer takes to be the cause. */
  readonly parent: TraceContext | undefined;
  readonly attributes: Attributes;
  /** Milliseconds since the epoch. */
  readonly beganMs: number;
}

/** One span. */
export interface TraceSpan {
  /** Where it stands. */
  readonly context: TraceContext;
  /** Ends it, with what is known by then. `failure` is a code that stands for the error; undefined when there was none. */
  end(endedMs: number, attributes: Attributes, failure?: string): void;
}

/** Makes spans. */
export interface Tracer {
  begin(beginning: SpanBeginning): TraceSpan;
  /** Sends what is kept, where anything is. Never rejects. */
  flush?(): Promise<void>;
  /** What became of the spans, where that is counted. */
  status?(): ExportStatus;
}

/** What became of what was to be exported. */
export interface ExportStatus {
  /** Waiting to be sent. */
  waiting: number;
  /** Accepted by the collector. */
  sent: number;
  /** Lost: the queue was full, or the collector did not take them. */
  dropped: number;
}

/** Told of the durations of operations, for histograms. */
export interface Meter {
  /** An operation has ended, after so many seconds. `attributes` are those of its span that are fit for metrics. */
  operation(seconds: number, attributes: Attributes): void;
  /** An operation has waited for a lease, for so many seconds. */
  waited(seconds: number, pool: string): void;
}
