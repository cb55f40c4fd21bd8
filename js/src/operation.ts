// What the client asks of the policies: the seam between the `@libsql/client` surface and the driver.

import type { RouteOptions } from "./cluster/options.ts";
import type { OperationOptions, OperationRetry, Priority } from "./config/options.ts";
import type { Failure } from "./errors.ts";
import type { AnyStatement } from "./hrana/encode.ts";
import type { Labels } from "./labels.ts";
import type { SlowQueries } from "./slow-queries.ts";
import type { TraceHeaders } from "./telemetry/observer.ts";
import type { TraceCarrier, TraceContext } from "./telemetry/trace-context.ts";

/** What a statement does, as far as its text tells. */
export type StatementKind = "read" | "write" | "unknown";

/** Which deadline applies. */
export type OperationClass = "query" | "transaction" | "batch" | "healthCheck";

/** One call of the client, as the policies see it. */
export interface Operation {
  class: OperationClass;
  /** Only `"read"` is repeated after a lost answer. */
  kind: StatementKind;
  /** Runs inside a lease that is already held: no pool, no retry. */
  held?: boolean;
  /** The caller vouches that repeating it is harmless. */
  idempotent?: boolean | undefined;
  /** A lost answer means that it was rolled back: a statement inside of a transaction. */
  undoable?: boolean | undefined;
  /** `false` bypasses the breaker. */
  useCircuitBreaker?: boolean | undefined;
  /** Overrides the class's deadline, in milliseconds. */
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Names the operation in errors. */
  name?: string | undefined;
  /** Names that its caller gave it, to count it by. */
  labels?: Labels | undefined;
  /** `false`: no second leg. */
  hedge?: boolean | undefined;
  /** Its own retries. */
  retry?: OperationRetry | undefined;
  /** Which of several databases it may go to. */
  route?: RouteOptions | undefined;
  /** Tells the index of the log that a read must see; empty for any. */
  floor?: { readonly asked: string } | undefined;
  /** Says what is known of an attempt's error that carries no facts of its own. */
  factsOf?: ((error: unknown) => Failure | undefined) | undefined;
  /** The connection of the lease that it runs inside of. */
  connection?: number | undefined;
  /** Who goes first among those who wait for a lease. */
  priority?: Priority | undefined;
  /** Which errors of the last attempt are handed on unchanged, whatever the policies make of them: all, or lost answers. */
  handsOnErrors?: "all" | "losses" | undefined;
  /** What is sent, for whoever watches. */
  statements?: readonly AnyStatement[] | undefined;
  /** Who asked for it. */
  trace?: TraceCarrier | undefined;
  /** Somebody watches it already. */
  isObserved?: boolean | undefined;
  /** Whom it is for, where flags say which layers it goes through. */
  rolloutKey?: string | undefined;
  /** Which layers it goes without, if that is known already. */
  layers?: number | undefined;
}

/** A question of ours: whether the database is there. It takes nothing of a tenant's rate. */
export const HEALTH_CHECK: Operation = { class: "healthCheck", kind: "read", name: "healthCheck" };

/** What one attempt must respect. */
export interface AttemptContext {
  /** Aborts at the deadline, or when the caller aborts. */
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly attempt: number;
  /** The pool's connection that it uses; 0 where there is nothing behind connections, and for the second leg of a read. */
  readonly connection: number;
  /** Its place in a trace, while somebody watches. */
  readonly trace?: TraceContext | undefined;
  /** What its request tells the server of that place. */
  readonly traceHeaders?: TraceHeaders | undefined;
}

/** What an operation does when it is its turn. */
export type Attempt<T> = (cx: AttemptContext) => Promise<T>;

/** The right to use the database, held by an interactive transaction. */
export interface Lease {
  /** Milliseconds until the transaction's deadline, at least 1; undefined when it has none. */
  readonly leftMs: number | undefined;
  /** The pool's connection that the transaction uses; 0 for none. */
  readonly connection: number;
  /** True once the lease has expired and its slot may be somebody else's. */
  readonly lapsed: boolean;
  /** True once the request that holds it is surely gone: its timer is long overdue. */
  readonly vanished: boolean;
  /** Gives the slot back. Later calls do nothing. */
  release(): void;
}

/** The policies, seen from the client. */
export interface Guard {
  /** Where slow statements are noted; undefined when none are. */
  readonly slow?: SlowQueries | undefined;
  kindOf(sql: string): StatementKind;
  /**
   * Runs `attempt` under the policies; may call it again after a failure.
   *
   * @throws The attempt's own error unchanged, or a `ResilienceError`.
   */
  run<T>(operation: Operation, attempt: Attempt<T>): Promise<T>;
  /** Waits for a lease that an interactive transaction holds. */
  lease(operation: Operation): Promise<Lease>;
  /** Refuses new operations; resolves when those in flight have ended or `deadlineMs` has passed. */
  drain(deadlineMs?: number): Promise<void>;
}

/** What `tryCall` returns instead of a promise while the circuit is open. */
export interface Refusal {
  readonly refused: true;
  readonly code: "CIRCUIT_OPEN";
  /** When asking again can help, in milliseconds since the epoch; infinity if no time can be named. */
  readonly retryAtMs: number;
}

/** What a host can do for the connections of a pool. Over HTTP in Node a connection is a socket that is kept alive. */
export interface Connections {
  /** Makes a connection ready, so that the first operation on it need not. Rejects when it cannot be. */
  setUp(connection: number, signal: AbortSignal): Promise<unknown>;
  /** Whether a connection that was idle for long still works; without it, all do. */
  check?(connection: number, signal: AbortSignal): Promise<boolean>;
  /** Closes a connection of which the pool will hear no more. */
  retire?(connection: number): void;
}

/** `operation` as its caller wants it. Options that are not set leave it as it is. */
export function withOptions(operation: Operation, options: OperationOptions | undefined): Operation {
  if (options === undefined) return operation;
  const { timeout, signal, useCircuitBreaker, idempotent, operationName, tableName, retry, hedge, priority } = options;
  const { tags, endpoint, region, failover, trace, rolloutKey } = options;
  const isRouted = (tags ?? endpoint ?? region ?? failover) !== undefined;
  const isNamed = operationName !== undefined || tableName !== undefined;
  const name = operationName ?? operation.name;
  return {
    ...operation,
    timeoutMs: timeout ?? operation.timeoutMs,
    signal: signal ?? operation.signal,
    useCircuitBreaker: useCircuitBreaker ?? operation.useCircuitBreaker,
    idempotent: idempotent ?? operation.idempotent,
    retry: retry ?? operation.retry,
    route: isRouted ? { tags, endpoint, region, failover } : operation.route,
    hedge: hedge ?? operation.hedge,
    priority: priority ?? operation.priority,
    trace: trace ?? operation.trace,
    rolloutKey: rolloutKey ?? operation.rolloutKey,
    name,
    labels: isNamed ? { operation: name ?? operation.class, table: tableName ?? "" } : operation.labels,
  };
}
