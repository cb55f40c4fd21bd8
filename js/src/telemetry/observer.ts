// Watches operations from outside of the policies: what each waited for, its attempts, its end. The driver knows nothing
// of it; an operation that nobody watches runs as if this file did not exist.
//
// One span for an operation, with children `acquire` (until the first attempt begins, or nothing is to be had) and
// `attempt`, one for each request. A transaction is a span from its lease to its end, and its statements are children.

import type { CircuitEvent } from "../circuit.ts";
import { ResilienceError } from "../errors.ts";
import { UNLOGGED } from "../layers.ts";
import type { Attempt, AttemptContext, Guard, Lease, Operation } from "../operation.ts";
import type { Platform } from "../platform/platform.ts";
import type { SlowQueryEvent } from "../slow-queries.ts";
import {
  argumentsOf,
  type Description,
  described,
  errorTypeOf,
  failureAttributes,
  metricAttributes,
  type Place,
} from "./describe.ts";
import type { Logger } from "./logger.ts";
import type { Redactor } from "./redact.ts";
import type { Attributes, AttributeValue, Meter, Tracer, TraceSpan } from "./span.ts";
import { type TraceContext, traceContextOf, traceparentOf } from "./trace-context.ts";

/** Headers that tell a server which span its request is a part of. */
export type TraceHeaders = Readonly<Record<string, string>>;

/** What an observer is made of. */
export interface Watching {
  readonly place: Place;
  readonly platform: Platform;
  readonly tracer: Tracer | undefined;
  readonly meter: Meter | undefined;
  readonly logger: Logger | undefined;
  readonly redactor: Redactor;
  /** Whether requests to the database say which span they are a part of. */
  readonly propagates: boolean;
  /** Whether texts of the database's errors are logged, shortened and without what is known to be secret. */
  readonly tellsMessages: boolean;
  /** Nothing but the flag of detailed logging has asked for it. */
  readonly isForDetailsAlone: boolean;
}

/** How an observed operation goes on, with an operation that is not observed again. */
type Run = <T>(operation: Operation, attempt: Attempt<T>) => Promise<T>;

const SECOND_MS = 1_000;

/** Watches the operations of one database, or of all databases of one client. */
export class Observer {
  readonly #watching: Watching;

  constructor(watching: Watching) {
    this.#watching = watching;
  }

  get tracer(): Tracer | undefined {
    return this.#watching.tracer;
  }

  /** Whether nothing but the flag of detailed logging has asked for it. */
  get isForDetailsAlone(): boolean {
    return this.#watching.isForDetailsAlone;
  }

  get logger(): Logger | undefined {
    return this.#watching.logger;
  }

  /** Never tells this text from now on. */
  learnSecret(secret: string | undefined): void {
    this.#watching.redactor.learn(secret);
  }

  /** Takes another database of the same client in: its records are found here, and its token is never told. */
  adopt(other: Observer | undefined, token: unknown): void {
    this.logger?.adopt(other?.logger);
    if (typeof token === "string") this.learnSecret(token);
  }

  /** Runs an operation by `run`, and watches. */
  run<T>(operation: Operation, attempt: Attempt<T>, run: Run, parent?: TraceContext): Promise<T> {
    const watch = new Watch(this.#watching, operation, parent);
    return run(watch.operation, (cx) => watch.attempt(cx, attempt)).then(
      (value) => {
        watch.succeeded(value);
        return value;
      },
      (error) => {
        watch.failed(error);
        throw error;
      },
    );
  }

  /** Waits for a transaction's lease by `lease`; watches until it is given back. `guard` runs what is inside. */
  async lease(operation: Operation, lease: (operation: Operation) => Promise<Lease>, guard: Guard): Promise<Lease> {
    const watch = new Watch(this.#watching, operation, undefined);
    try {
      const held = await lease(watch.operation);
      watch.acquired();
      const own = (held as Partial<{ guard: Guard }>).guard ?? guard;
      return watchedLease(held, new WatchedGuard(this, own, watch.context), () => watch.succeeded(undefined));
    } catch (error) {
      watch.failed(error);
      throw error;
    }
  }

  /** Writes a change of the circuit into the log. */
  readonly circuitChanged = ({ from, to, reason, atMs }: CircuitEvent): void => {
    const level = to === "OPEN" ? "warn" : "info";
    this.#watching.logger?.write(level, "circuit changed", atMs, undefined, { from, to, reason });
  };

  /** Writes a slow request into the log. */
  slow({ text, durationMs, rows, hasFailed, atMs, trace }: SlowQueryEvent): void {
    this.#watching.logger?.write("warn", "slow query", atMs, trace, { text, durationMs, rows, hasFailed });
  }
}

/** One operation on its way. */
class Watch {
  readonly operation: Operation;
  readonly context: TraceContext | undefined;
  readonly #watching: Watching;
  readonly #description: Description;
  readonly #span: TraceSpan | undefined;
  readonly #beganMs: number;
  #acquire: TraceSpan | undefined;
  #isAcquired = false;
  #waitedMs = 0;
  #attempts = 0;
  #lastFailure: unknown;

  constructor(watching: Watching, operation: Operation, parent: TraceContext | undefined) {
    this.#watching = watching;
    this.operation = { ...operation, isObserved: true };
    this.#description = described(operation, watching.place);
    this.#beganMs = watching.platform.now();
    const cause = parent ?? traceContextOf(operation.trace);
    const { name, attributes } = this.#description;
    this.#span = watching.tracer?.begin({ name, kind: "client", parent: cause, attributes, beganMs: this.#beganMs });
    // Without spans of its own, what is logged belongs to whoever asked.
    this.context = this.#span?.context ?? cause;
    if (!operation.held) this.#acquire = this.#child("acquire", {}, this.#beganMs);
  }

  /** Makes one attempt. It ends with its promise, or when nobody waits for it any more. */
  attempt<T>(cx: AttemptContext, attempt: Attempt<T>): Promise<T> {
    this.acquired();
    this.#attempts += 1;
    const number = this.#attempts;
    if (number > 1) this.#tellRetry(number);
    const beganMs = this.#watching.platform.now();
    const endpoint = (cx as { endpoint?: { name?: string } }).endpoint?.name;
    const place: Attributes = endpoint === undefined ? {} : { "seawall.endpoint": endpoint };
    const span = this.#child("attempt", { "seawall.attempt": number, ...place }, beganMs);
    const context = span?.context ?? this.context;
    const headers = this.#watching.propagates && context !== undefined ? headersOf(context) : undefined;
    let isOver = false;
    const end = (attributes: Attributes, failure?: string) => {
      if (isOver) return;
      isOver = true;
      cx.signal.removeEventListener("abort", onAbort);
      span?.end(this.#watching.platform.now(), attributes, failure);
    };
    const onAbort = () => {
      const elapsedMs = this.#watching.platform.now() - beganMs;
      const failure = cx.timeoutMs > 0 && elapsedMs >= cx.timeoutMs ? "DEADLINE_EXCEEDED" : "ABORTED";
      this.#lastFailure = { code: failure };
      end({ "error.type": failure }, failure);
    };
    cx.signal.addEventListener("abort", onAbort, { once: true });
    let running: Promise<T>;
    try {
      running = attempt({ ...cx, trace: context, traceHeaders: headers });
    } catch (error) {
      running = Promise.reject(error);
    }
    return running.then(
      (value) => {
        end({});
        return value;
      },
      (error) => {
        if (!isOver) this.#lastFailure = error;
        end(failureAttributes(error), errorTypeOf(error));
        throw error;
      },
    );
  }

  /** There is a lease: the first attempt may begin, or the transaction. */
  acquired(): void {
    if (this.#isAcquired) return;
    this.#isAcquired = true;
    if (this.operation.held) return;
    const { platform, meter, place } = this.#watching;
    const now = platform.now();
    this.#waitedMs = now - this.#beganMs;
    this.#acquire?.end(now, {});
    meter?.waited(this.#waitedMs / SECOND_MS, String(place["db.namespace"]));
  }

  succeeded(value: unknown): void {
    const rows = rowsOf(value);
    const attributes = rows === undefined ? {} : { "db.response.returned_rows": rows };
    this.#end(attributes, undefined);
    this.#tell("debug", "query", rows === undefined ? {} : { rows });
  }

  failed(error: unknown): void {
    const attributes = failureAttributes(error);
    const code = errorTypeOf(error);
    if (!this.#isAcquired) this.#acquire?.end(this.#watching.platform.now(), { "error.type": code }, code);
    this.#isAcquired = true;
    this.#end(attributes, code);
    const isRefusal = error instanceof ResilienceError && error.origin === "policy" && this.#attempts === 0;
    const status = attributes["db.response.status_code"];
    const { retryAtMs, outcome } = error as Partial<ResilienceError>;
    const fields = {
      code,
      ...(status === undefined ? {} : { status }),
      ...(retryAtMs === undefined ? {} : { retryAtMs }),
      ...(outcome === undefined ? {} : { outcome }),
      ...this.#messageOf(error),
    };
    this.#tell(isRefusal || code === "ABORTED" ? "warn" : "error", isRefusal ? "refused" : "operation failed", fields);
  }

  #end(attributes: Record<string, AttributeValue>, failure: string | undefined): void {
    const { platform, meter } = this.#watching;
    const now = platform.now();
    const count: Attributes = this.#attempts > 1 ? { "seawall.attempts": this.#attempts } : {};
    this.#span?.end(now, { ...attributes, ...count }, failure);
    meter?.operation(
      (now - this.#beganMs) / SECOND_MS,
      metricAttributes({ ...this.#description.attributes, ...attributes }),
    );
  }

  #child(name: string, attributes: Attributes, beganMs: number): TraceSpan | undefined {
    const parent = this.#span?.context;
    return parent && this.#watching.tracer?.begin({ name, kind: "internal", parent, attributes, beganMs });
  }

  #tellRetry(number: number): void {
    const { logger, platform } = this.#watching;
    // Of two legs of one attempt the first has not failed.
    if (logger === undefined || this.#lastFailure === undefined) return;
    const fields = { attempt: number, code: errorTypeOf(this.#lastFailure), ...this.#messageOf(this.#lastFailure) };
    logger.write("warn", "tried again", platform.now(), this.context, { operation: this.#description.name, ...fields });
    this.#lastFailure = undefined;
  }

  #tell(level: "debug" | "warn" | "error", msg: string, fields: object): void {
    const { logger, platform } = this.#watching;
    if (logger === undefined || !logger.tells(level)) return;
    // Details of those for whom that layer is off.
    if (level === "debug" && ((this.operation.layers ?? 0) & UNLOGGED) !== 0) return;
    const { statements } = this.operation;
    const text = this.#description.attributes["db.query.text"];
    const count = statements === undefined ? 0 : argumentsOf(statements);
    const now = platform.now();
    logger.write(level, msg, now, this.context, {
      operation: this.#description.name,
      ...(text === undefined ? {} : { text }),
      // The redaction takes what is in `args` for what it is.
      ...(count === 0 ? {} : { args: count, argCount: count }),
      durationMs: now - this.#beganMs,
      ...(this.#waitedMs > 0 ? { waitedMs: this.#waitedMs } : {}),
      attempts: this.#attempts,
      ...fields,
    });
  }

  /** Texts of ours hold numbers and advice; those of a server may hold what it was sent. */
  #messageOf(error: unknown): { error?: string } {
    if (error instanceof ResilienceError && error.origin !== "upstream") return { error: error.message };
    return this.#watching.tellsMessages && error instanceof Error ? { error: messageOf(error) } : {};
  }
}

/** A guard whose operations are parts of a span. */
class WatchedGuard implements Guard {
  readonly #observer: Observer;
  readonly #guard: Guard;
  readonly #parent: TraceContext | undefined;

  constructor(observer: Observer, guard: Guard, parent: TraceContext | undefined) {
    this.#observer = observer;
    this.#guard = guard;
    this.#parent = parent;
  }

  get slow(): Guard["slow"] {
    return this.#guard.slow;
  }

  kindOf(sql: string): ReturnType<Guard["kindOf"]> {
    return this.#guard.kindOf(sql);
  }

  run<T>(operation: Operation, attempt: Attempt<T>): Promise<T> {
    return this.#observer.run(operation, attempt, (own, watched) => this.#guard.run(own, watched), this.#parent);
  }

  lease(operation: Operation): Promise<Lease> {
    return this.#guard.lease(operation);
  }

  drain(deadlineMs?: number): Promise<void> {
    return this.#guard.drain(deadlineMs);
  }
}

/** A lease that tells when it is given back, and whose operations run by `guard`. */
function watchedLease(held: Lease, guard: Guard, onRelease: () => void): Lease {
  let isHeld = true;
  const own = {
    guard,
    endpoint: (held as { endpoint?: unknown }).endpoint,
    connection: held.connection,
    get leftMs() {
      return held.leftMs;
    },
    get lapsed() {
      return held.lapsed;
    },
    get vanished() {
      return held.vanished;
    },
    release() {
      held.release();
      if (isHeld) onRelease();
      isHeld = false;
    },
  };
  return own;
}

/** Headers for a request that is a part of the span at `context`. */
function headersOf(context: TraceContext): TraceHeaders {
  const traceparent = traceparentOf(context);
  return context.state === "" ? { traceparent } : { traceparent, tracestate: context.state };
}

function rowsOf(value: unknown): number | undefined {
  const { rows } = (value ?? {}) as { rows?: unknown };
  return Array.isArray(rows) ? rows.length : undefined;
}

/** A database repeats in its messages what it was sent, so literals are left out; a code has a field of its own. */
function messageOf(error: Error): string {
  const { code } = error as { code?: unknown };
  const prefix = `${String(code)}: `;
  const text = error.message.startsWith(prefix) ? error.message.slice(prefix.length) : error.message;
  return text.slice(0, 8_192).replace(/'(?:[^']|'')*'?|"[^"]*"?|`[^`]*`?|\b\d[\d.]*\b/g, "?");
}
