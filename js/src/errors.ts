// Every error that a caller can meet, and the facts that the policies judge a failed attempt by.

/** An error of the database or of the way to it. `code` is stable; the message starts with it. */
export class LibsqlError extends Error {
  /** Machine-readable code, such as `SQLITE_CONSTRAINT` or `CONNECT_FAILED`. */
  declare code: string;
  /** More specific code, when the server gives one. */
  declare extendedCode?: string;
  /** SQLite's number, when known. */
  declare rawCode?: number;

  /** What `name` is; one assignment instead of one per class of the chain. */
  protected static readonly errorName: string = "LibsqlError";

  constructor(message: string, code: string, extendedCode?: string, rawCode?: number, cause?: Error) {
    super(code === undefined ? message : `${code}: ${message}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.extendedCode = extendedCode as string;
    this.rawCode = rawCode as number;
    this.name = new.target.errorName;
  }
}

/** A statement of a batch or of a transaction failed. */
export class LibsqlBatchError extends LibsqlError {
  protected static override readonly errorName: string = "LibsqlBatchError";
  /** Zero-based index of the statement that failed. */
  declare statementIndex: number;

  constructor(
    message: string,
    statementIndex: number,
    code: string,
    extendedCode?: string,
    rawCode?: number,
    cause?: Error,
  ) {
    super(message, code, extendedCode, rawCode, cause);
    this.statementIndex = statementIndex;
  }
}

/** Whose doing an error is. */
export type Origin = "caller" | "policy" | "upstream" | "ours";

/** Whether asking again can help: never, only if the operation may run twice, or from `retryAtMs` on. */
export type RetryAdvice = "never" | "if_repeatable" | "at";

/** Whether the operation took effect. */
export type OperationOutcome = "not_executed" | "unknown";

/** State of the circuit when it refused. */
export type CircuitState = "OPEN" | "HALF_OPEN" | "CLOSED";

/** What {@link makeError} needs besides code and message. */
export interface ErrorFacts {
  origin: Origin;
  retry: RetryAdvice;
  /** Milliseconds since the epoch; with `retry: "at"`. */
  retryAtMs?: number | undefined;
  outcome: OperationOutcome;
  cause?: unknown;
  /** For `CIRCUIT_OPEN`. */
  state?: CircuitState | undefined;
  /** For `RETRIES_EXHAUSTED`: attempts made. */
  attempts?: number | undefined;
  /** For `DEADLINE_EXCEEDED`: milliseconds allowed. */
  timeout?: number | undefined;
  operationName?: string | undefined;
  /** For `QUERY_TOO_EXPENSIVE`: rows that the statement would visit, and how many it may. */
  estimate?: number | undefined;
  limit?: number | undefined;
}

const BRAND = Symbol.for("seawall.ResilienceError");

/** A policy refused an operation or gave it up. Known by a brand, so that two copies of the package agree. */
export class ResilienceError extends LibsqlError {
  protected static override readonly errorName: string = "ResilienceError";
  declare readonly [BRAND]: readonly string[];
  declare origin: Origin;
  declare retry: RetryAdvice;
  /** Milliseconds since the epoch from which asking again can help; only with `retry: "at"`. */
  declare retryAtMs?: number;
  /** `"unknown"` when a write was sent and its answer was lost. */
  declare outcome: OperationOutcome;

  constructor(code: string, message: string, facts: ErrorFacts) {
    super(message, code, undefined, undefined, facts.cause as Error | undefined);
    this.origin = facts.origin;
    this.retry = facts.retry;
    if (facts.retryAtMs !== undefined) this.retryAtMs = facts.retryAtMs;
    this.outcome = facts.outcome;
  }

  // `this` is the class that was asked: a subclass inherits this method.
  // biome-ignore-start lint/complexity/noThisInStatic: see above.
  static override [Symbol.hasInstance](value: unknown): boolean {
    const brand = BRANDS.get(this);
    if (brand === undefined) return Function.prototype[Symbol.hasInstance].call(this, value);
    return typeof value === "object" && value !== null && (value as ResilienceError)[BRAND]?.includes(brand) === true;
  }
  // biome-ignore-end lint/complexity/noThisInStatic: see above.
}

/** The circuit is open: nothing was sent. Code `CIRCUIT_OPEN`. */
export class DatabaseCircuitBreakerError extends ResilienceError {
  protected static override readonly errorName: string = "DatabaseCircuitBreakerError";
  declare state: CircuitState;

  constructor(code: string, message: string, facts: ErrorFacts) {
    super(code, message, facts);
    this.state = facts.state ?? "OPEN";
  }
}

/** Every attempt failed; `cause` is the last failure. Code `RETRIES_EXHAUSTED`. */
export class DatabaseRetryError extends ResilienceError {
  protected static override readonly errorName: string = "DatabaseRetryError";
  declare attempts: number;

  constructor(code: string, message: string, facts: ErrorFacts) {
    super(code, message, facts);
    this.attempts = facts.attempts ?? 0;
  }
}

/** The deadline passed. Code `DEADLINE_EXCEEDED`. */
export class DatabaseTimeoutError extends ResilienceError {
  protected static override readonly errorName: string = "DatabaseTimeoutError";
  /** Milliseconds that were allowed. */
  declare timeout: number;
  declare operationName?: string;

  constructor(code: string, message: string, facts: ErrorFacts) {
    super(code, message, facts);
    this.timeout = facts.timeout ?? 0;
    if (facts.operationName !== undefined) this.operationName = facts.operationName;
  }
}

/** No lease became free in time, or too many were waiting. Codes `POOL_TIMEOUT`, `POOL_QUEUE_FULL`. */
export class PoolExhaustedError extends ResilienceError {
  protected static override readonly errorName: string = "PoolExhaustedError";
}

/** More operations came than the tenant's rate limit allows; `retryAtMs` says when one may. Code `RATE_LIMITED`. */
export class RateLimitedError extends ResilienceError {
  protected static override readonly errorName: string = "RateLimitedError";
}

/** By its plan, the statement would visit too many rows; it was not run. Code `QUERY_TOO_EXPENSIVE`. */
export class QueryTooExpensiveError extends ResilienceError {
  protected static override readonly errorName: string = "QueryTooExpensiveError";
  /** Rows that it would visit. */
  declare estimate: number;
  /** Rows that it may visit. */
  declare limit: number;

  constructor(code: string, message: string, facts: ErrorFacts) {
    super(code, message, facts);
    this.estimate = facts.estimate ?? 0;
    this.limit = facts.limit ?? 0;
  }
}

/** A write was sent and its answer was lost: it may have taken effect. Code `OUTCOME_UNKNOWN`. */
export class OutcomeUnknownError extends ResilienceError {
  protected static override readonly errorName: string = "OutcomeUnknownError";
}

type ResilienceClass = new (code: string, message: string, facts: ErrorFacts) => ResilienceError;

const BRANDS = new Map<unknown, string>();

function brand(type: ResilienceClass, name: string): void {
  BRANDS.set(type, name);
  const names = type === ResilienceError ? [name] : ["ResilienceError", name];
  Object.defineProperty(type.prototype, BRAND, { value: Object.freeze(names) });
}

brand(ResilienceError, "ResilienceError");
brand(DatabaseCircuitBreakerError, "DatabaseCircuitBreakerError");
brand(DatabaseRetryError, "DatabaseRetryError");
brand(DatabaseTimeoutError, "DatabaseTimeoutError");
brand(PoolExhaustedError, "PoolExhaustedError");
brand(OutcomeUnknownError, "OutcomeUnknownError");
brand(RateLimitedError, "RateLimitedError");
brand(QueryTooExpensiveError, "QueryTooExpensiveError");

const CLASSES: Record<string, ResilienceClass> = {
  CIRCUIT_OPEN: DatabaseCircuitBreakerError,
  RETRIES_EXHAUSTED: DatabaseRetryError,
  DEADLINE_EXCEEDED: DatabaseTimeoutError,
  POOL_TIMEOUT: PoolExhaustedError,
  POOL_QUEUE_FULL: PoolExhaustedError,
  OUTCOME_UNKNOWN: OutcomeUnknownError,
  RATE_LIMITED: RateLimitedError,
  QUERY_TOO_EXPENSIVE: QueryTooExpensiveError,
};

const traceLimit = Object.getOwnPropertyDescriptor(Error, "stackTraceLimit");
const canLimitTraces = traceLimit?.writable === true;

/**
 * Runs `build` without capturing a stack: a refusal is an answer, and a captured stack costs more than the refusal.
 * Where the runtime has no such limit, or has frozen it, the stack is captured as usual.
 */
export function withoutStack<T>(build: () => T): T {
  if (!canLimitTraces) return build();
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return build();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/** Builds the error class that belongs to `code`, without a captured stack. */
export function makeError(code: string, message: string, facts: ErrorFacts): ResilienceError {
  const Class = Object.hasOwn(CLASSES, code) ? (CLASSES[code] as ResilienceClass) : ResilienceError;
  if (!canLimitTraces) return new Class(code, message, facts);
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return new Class(code, message, facts);
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/** What is known about a failed attempt. */
export interface Failure {
  /** HTTP status; 0 when there was no answer. */
  status: number;
  /** Code in the body, or the transport's; empty when there is none. */
  code: string;
  /** False only when the request certainly never reached the server. */
  sent: boolean;
}

const FAILURE = Symbol.for("seawall.Failure");

/** Notes on `error` what is known about the attempt that it ended. The note is not enumerable. */
export function attachFailure<E extends object>(error: E, failure: Failure): E {
  Object.defineProperty(error, FAILURE, { value: failure, configurable: true, writable: true });
  return error;
}

/** What {@link attachFailure} noted, if anything. */
export function failureOf(error: unknown): Failure | undefined {
  return typeof error === "object" && error !== null ? (error as { [FAILURE]?: Failure })[FAILURE] : undefined;
}
