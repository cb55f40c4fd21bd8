// The options of Seawall itself. Their ranges and defaults are in docs/config.md, written from the core's one list.

import type {
  FailoverOptions,
  LoadBalancingOptions,
  PrimaryOptions,
  ReplicaOptions,
  Tags,
} from "../cluster/options.ts";
import type { LayersOptions } from "../layers.ts";
import type { SlowQueryListener } from "../slow-queries.ts";
import type { Store } from "../store/store.ts";
import type { LoggingOptions, TracingOptions } from "../telemetry/options.ts";
import type { TraceCarrier } from "../telemetry/trace-context.ts";
import type { QueryCostOptions } from "../tenants/query-cost.ts";
import type { TierName } from "../tenants/tier.ts";
import type { Plugin } from "./plugins.ts";

/** How a pool is sized and used. */
export type PoolStrategy = "adaptive" | "balanced" | "performance" | "resource_conserving";

/** Who goes first among those who wait for a lease. */
export type Priority = "low" | "medium" | "high" | "critical";

/** Leases: how many requests or transactions one isolate has in flight. */
export interface ConnectionPoolOptions {
  enabled?: boolean;
  /** Leases at once: 5 in production, 2 elsewhere; never above 6 on Workers. */
  maxConnections?: number;
  minConnections?: number;
  /** Milliseconds that an operation waits for a lease. */
  acquireTimeout?: Span;
  /** Operations that may wait at once. */
  maxQueue?: number;
  /** Milliseconds after which a lease is taken back that its holder did not renew. */
  leaseTtl?: Span;
  /** Milliseconds after which an idle connection is closed. */
  idleTimeout?: Span;
  /** Other names, those of Python's pools; times in seconds. */
  min_connections?: number;
  max_connections?: number;
  connection_timeout?: number;
  idle_timeout?: number;
  journal_mode?: SqliteOptions["journalMode"];
  synchronous?: SqliteOptions["synchronous"];
  cache_size?: number;
  temp_store?: SqliteOptions["tempStore"];
  mmap_size?: number;
  page_size?: number;
  wal_autocheckpoint?: number;
  busy_timeout?: number;
  initial_connections?: number;
  connection_warming?: boolean;
  validation_interval?: number;
  max_retries?: number;
  retry_delay?: number;
  failure_threshold?: number;
  recovery_timeout?: number;
  half_open_max_calls?: number;
  health_check_interval?: number;
  enable_metrics?: boolean;
  enable_tracing?: boolean;
  /** How many connections there are and which one is taken; docs/pool.md says what each does. Default `"adaptive"`. */
  strategy?: PoolStrategy;
  /** Connections set up before the first operation, never more than `maxConnections`. */
  initialConnections?: number;
  /** `false`: none is set up ahead of demand, whatever the strategy. */
  connectionWarming?: boolean;
  /** Milliseconds that setting a connection up may take. */
  connectionTimeout?: number;
  /** How often a set-up that failed is tried again, and how many milliseconds before that. */
  maxRetries?: number;
  retryDelay?: number;
  /** Milliseconds until warm connections are tried again after set-ups that failed to the end. */
  healthCheckInterval?: number;
  /** A connection that was idle for more milliseconds is checked before it is used. */
  validationInterval?: number;
  /** Milliseconds after which a connection is replaced, when nobody uses it; 0 for never. */
  maxAge?: number;
  /** Uses after which a connection is replaced; 0 for never. */
  maxUses?: number;
  /** Who is served first among equally urgent operations; `"adaptive"` turns to the newest in overload. */
  queueOrder?: "adaptive" | "fifo" | "lifo";
  /** It is overload when the oldest has waited for more milliseconds. */
  overloadAfter?: number;
  /** Milliseconds that an operation waits that comes to a queue which did not empty for `overloadAfter`; 0: `acquireTimeout`. */
  overloadTimeout?: number;
  /** Whether an illegal change of a connection's state is refused, or only counted. */
  stateMachine?: "enforce" | "record";
  /** Accepted: counts and histories are always kept, because they cost nothing. */
  enableMetrics?: boolean;
  enableTracing?: boolean;
}

/** When the circuit opens and how it recovers. */
export interface CircuitBreakerOptions {
  enabled?: boolean;
  /** Failures within the window that open it: 5 in production, 3 elsewhere; 0 turns the rule off. */
  failureThreshold?: number;
  /** Share of failures, 0 to 1, that opens it; 0 turns the rule off. Set alone, it replaces the count of failures. */
  failureRate?: number;
  /** Another name for `failureRate`, in per cent. It opens at the threshold, where opossum's opens above it. */
  errorThresholdPercentage?: number;
  /** Share of slow calls, 0 to 1, that opens it; 0 turns the rule off. */
  slowRate?: number;
  /** Failures in a row that open it; 0 turns the rule off. */
  consecutiveFailures?: number;
  /** Calls in the window before a share counts. */
  minimumCalls?: number;
  /** Another name for `minimumCalls`. */
  volumeThreshold?: number;
  /** Milliseconds above which a call is slow. */
  timeoutThreshold?: Span;
  slowIsFailure?: boolean;
  /** Milliseconds for which a failure counts. */
  monitorWindow?: Span;
  monitorBuckets?: number;
  /** The window is this many calls, at most 1024, instead of a time; 0 means a time. */
  windowCalls?: number;
  /** How much a timeout counts as a failure, in per cent: 50 makes two count as one; 0 leaves them out. */
  timeoutWeight?: number;
  /** The same for a connection that failed or was lost. */
  networkWeight?: number;
  /** The same for HTTP 5xx and faults of the storage. */
  serverErrorWeight?: number;
  /** The same for HTTP 429. */
  rateLimitedWeight?: number;
  /** The same for an answer that is not the protocol. */
  badResponseWeight?: number;
  /** Whether HTTP 429 counts in the window only, and leaves a row of failures as it is. */
  rateLimitedIsSoft?: boolean;
  /** Other names for `monitorWindow` and `monitorBuckets`. */
  rollingCountTimeout?: Span;
  rollingCountBuckets?: number;
  /** Milliseconds that it stays open. `timeout` and `resetTimeout` are other names for it. */
  recoveryTimeout?: Span;
  timeout?: Span;
  resetTimeout?: Span;
  /** Another name for `recoveryTimeout`, in seconds. */
  recovery_timeout?: number;
  /** Another name for `failureThreshold`. */
  failure_threshold?: number;
  /** Another name for `halfOpenMaxCalls`. */
  half_open_max_calls?: number;
  recoveryTimeoutMax?: Span;
  recoveryMultiplier?: number;
  recoveryJitter?: number;
  /** Probes in flight at once while half-open. */
  halfOpenMaxCalls?: number;
  /** Successful probes in a row that close it. */
  successThreshold?: number;
  /** Another place for `retry`. */
  retry?: RetryOptions;
}

/** Which failures are tried again, and how much in all. */
export interface RetryOptions {
  /** Attempts in all; 1 turns retries off. */
  attempts?: number;
  /** Milliseconds before the second attempt. */
  initialDelay?: Span;
  maxDelay?: Span;
  /** Milliseconds after the first attempt at which the last one begins at the latest; 0 means no limit. */
  maxTotal?: Span;
  backoffMultiplier?: number;
  jitter?: number;
  budgetInitial?: number;
  budgetMax?: number;
  budgetRatio?: number;
}

/** What one operation may say of its retries: a policy, a number of attempts, or `false` for one attempt. */
export type OperationRetry = RetryOptions | number | false;

/** A second copy of a slow read: the first success wins, the other one is aborted. Never of a write. */
export interface HedgeOptions {
  /** Milliseconds without an answer after which a read may be sent again; 0 turns it off. */
  delay?: Span;
  /** Reads sent again for each success, 0 to 1. Each also takes a token of the retries' budget. */
  maxRatio?: number;
}

/** Deadlines in milliseconds, waits and retries included; 0 means none. */
export interface TimeoutOptions {
  /** `false` takes all deadlines away, other than an operation's own. */
  enabled?: boolean;
  query?: Span;
  transaction?: Span;
  batchInsert?: Span;
  healthCheck?: Span;
}

/** Which statements are noted as slow. */
export interface SlowQueryOptions {
  enabled?: boolean;
  /** A request that takes longer, in milliseconds, is slow; 0 turns it off. */
  threshold?: number;
  /** Told of each slow request, in a microtask of its own. What it throws or rejects with harms nothing and is counted. */
  onSlowQuery?: SlowQueryListener;
}

/** Which results are kept in this isolate, and for how long. Only reads whose answer depends on tables alone are. */
export interface QueryCacheOptions {
  /** Whether all reads are kept that can be. Without it, only those that ask for it by `cache`. */
  enabled?: boolean;
  /** Results at most. */
  maxSize?: number;
  /** Bytes that they take at most, by an estimate. */
  maxBytes?: number;
  /** Milliseconds for which a result is served without asking the database. */
  ttl?: number;
  /** Milliseconds beyond `ttl` for which it is served, marked as stale, while one read in the background replaces it. */
  staleWhileRevalidate?: number;
  /** Milliseconds beyond `ttl` for which it is served, marked as stale, when the database does not answer. */
  staleIfError?: number;
  /**
   * Tables that change together although no statement says so: `[["orders", "order_totals"]]` for a view and what it
   * reads, for a table and those that its triggers or cascading foreign keys write.
   */
  related?: readonly (readonly string[])[];
  /** Whether equal reads at the same time share one request. */
  shared?: boolean;
  /** Milliseconds after which a shared read whose caller is not heard of is made again by one who waits for it. */
  loadLease?: number;
}

/** What one read may say of its result's keeping. Each difference makes an entry of its own. */
export interface OperationCache {
  /** Milliseconds for which the result is served. */
  ttl?: number;
  /** Milliseconds beyond that for which it is served while it is replaced. */
  swr?: number;
  /** Keeps results apart that have the same text and arguments. */
  key?: string;
}

/** What a read must see of earlier writes, where replicas answer reads. */
export interface ConsistencyOptions {
  /**
   * `"isolate"`: each read sees what this isolate has written before, whichever request wrote it. `"token"`: it sees
   * what its own token stands for and nothing else is waited for. `"off"`: nothing is waited for. Default `"isolate"`,
   * which changes nothing with a server that does not tell how far its log is.
   */
  readYourWrites?: "isolate" | "token" | "off";
  /**
   * Milliseconds that a read waits for a replica to catch up, 1,000 unless set; at most half of what the operation has
   * left. 0: it never waits, and an answer that came too early is only marked, or refused.
   */
  waitTimeout?: number;
  /** What then: `"stale"`, the default, takes an older answer and marks it; `"error"` throws `REPLICA_BEHIND`. */
  onTimeout?: "stale" | "error";
  /** A name that all addresses of one database share, so that they understand each other's tokens. Default: the address. */
  database?: string;
}

/** Where and how isolates share what they learn. */
export interface StateOptions {
  /** A store, or the name of a plugin that makes one. */
  store: Store | string;
  /** What the plugin's `createStore` gets. */
  storeSettings?: Readonly<Record<string, unknown>>;
  /** A quicker store that only isolates near by share, as {@link cacheApiStore}: read every second while there is trouble. */
  near?: Store;
  /**
   * Name of the data centre or region, up to 32 letters, digits, `_` and `-`; a function is asked each time. Isolates
   * of one place share one key. The default is what the platform tells; on Workers nothing does, so pass what
   * `request.cf.colo` says. `""` turns it off.
   */
  colo?: string | (() => string | undefined);
  /** Key prefix in the store. */
  prefix?: string;
  /** Milliseconds that the first operation of a cold isolate waits for what others know; 0 turns it off. */
  coldReadTimeout?: Span;
  readInterval?: Span;
  writeInterval?: Span;
  /** The longest delay before a write, in milliseconds. */
  writeJitter?: Span;
  /** Isolates that share one key, if you know; 0 leaves it to finding out. */
  expectedIsolates?: number;
  /** Probes that all isolates of one key send together per probe window, on average. */
  probesPerWindow?: number;
  /** Milliseconds over which an isolate takes up a recovery that others found. */
  rampTime?: Span;
  /** Share of the data centres, weighted by their requests, from which `fleet()` calls the circuit open; 0 to 1. */
  quorum?: number;
}

/** How many operations a second one tenant may send. What is too much is refused with `RATE_LIMITED`. */
export interface RateLimitOptions {
  /** Operations a second in the long run; 0 for no limit. */
  rate: number;
  /** Operations at once after a pause. Default: as many as come in one second, and at least 1. */
  burst?: number;
}

/** A setting that comes from elsewhere: its path, the name of what gives it, and its text. {@link fromEnv} makes them. */
export type GivenSetting = readonly [path: string, by: string, text: string];

/** A span of time: milliseconds, or text such as `"500ms"`, `"5s"`, `"2m"` or `"1h"`. */
export type Span = number | `${number}${"ms" | "s" | "m" | "h"}`;

/** Pragmas of a local SQLite file: kept, checked, and ignored, because a remote database has its own. */
export interface SqliteOptions {
  journalMode?: "DELETE" | "TRUNCATE" | "PERSIST" | "MEMORY" | "WAL" | "OFF";
  synchronous?: "OFF" | "NORMAL" | "FULL" | "EXTRA";
  /** KiB. */
  cacheSize?: number;
  tempStore?: "DEFAULT" | "FILE" | "MEMORY";
  /** Bytes. */
  mmapSize?: number;
  /** Bytes, a power of two. */
  pageSize?: number;
  /** Pages. */
  walAutocheckpoint?: number;
  busyTimeout?: Span;
}

/** When to send an alert, and where to. Kept and checked; nothing in the npm package sends any. */
export interface AlertOptions {
  /** A secret: never shown and never exported. Empty for nowhere. */
  webhookUrl?: string;
  /** 0 to 100. */
  healthScore?: number;
  /** Per cent. */
  poolUtilization?: number;
  /** On average. */
  queryTime?: Span;
  /** Per cent. */
  errorRate?: number;
  connectionTimeouts?: number;
}

/** Names of a manager's configuration in Python, which stand outside of any group. */
export interface ManagerNames {
  enable_metrics?: boolean;
  /** Seconds. */
  stats_interval?: number;
  enable_tracing?: boolean;
  enable_query_optimization?: boolean;
  /** Seconds. */
  slow_query_threshold?: number;
  enable_connection_warming?: boolean;
  enable_load_balancing?: boolean;
  load_balance_strategy?: "performance" | "round_robin" | "least_connections" | "adaptive";
  enable_failover?: boolean;
  /** Seconds. */
  failover_timeout?: number;
  max_failover_attempts?: number;
  enable_query_cache?: boolean;
  cache_max_size?: number;
  /** Seconds. */
  cache_ttl?: number;
}

/** Everything under the `seawall` key of `createClient`. */
export interface SeawallOptions extends ManagerNames {
  /** Defaults for pool, concurrency, time limits and priority. What is set elsewhere wins over it. */
  tier?: TierName;
  /** What else bounds a tenant: operations at once, running and waiting, where the tier's number does not suit. */
  tenant?: { maxConcurrent?: number };
  rateLimit?: RateLimitOptions;
  /** Off unless `limit` is set: statements that would visit more rows than that are not run. Of libSQL clients only. */
  queryCost?: QueryCostOptions;
  /** Which of pool, connection states, breaker, monitoring and logging an operation goes through: all, unless flags say. */
  layers?: LayersOptions;
  connectionPool?: ConnectionPoolOptions;
  circuitBreaker?: CircuitBreakerOptions;
  retry?: RetryOptions;
  /** Off unless `delay` is set. */
  hedge?: HedgeOptions;
  timeouts?: TimeoutOptions;
  /** Off unless `enabled`; single reads may ask for it by `cache`. */
  queryCache?: QueryCacheOptions;
  consistency?: ConsistencyOptions;
  /** Slow statements, listed by `seawall.slowQueries()`. */
  slowQuery?: SlowQueryOptions;
  /** Without it, each isolate learns for itself. */
  state?: StateOptions;
  /** Parts that other settings name. */
  plugins?: readonly Plugin[];
  /** Name of the plugin that sends requests; `fetch` of `createClient` wins over it. */
  transport?: string;
  /** Replaces `authToken` and the URL's token; asked for every request, so that it can be rotated. */
  authToken?: () => string | Promise<string>;
  /** Overrides what the runtime says: `production` has larger defaults. */
  environment?: "production" | "preview" | "staging" | "development" | "test";
  /** Settings for a kind of database, where nothing else is said: `prisma` and `sqlite` probe after 60 s. */
  preset?: "none" | "prisma" | "sqlite";
  /** Settings from elsewhere, under all options: `...fromEnv(process.env)` puts them here. */
  given?: readonly GivenSetting[];
  /** Whether what happens is counted: `false` leaves totals and shared health empty. */
  monitoring?: { enabled?: boolean };
  sqlite?: SqliteOptions;
  alerts?: AlertOptions;
  /** How often a scheduled check asks the database; the deployable Worker reads it. */
  health?: { checkInterval?: Span };
  metrics?: { enabled?: boolean; statsInterval?: Span };
  tracing?: TracingOptions;
  logging?: LoggingOptions;
  queryOptimization?: { enabled?: boolean };
  /** With `layers`: what their flags are where no document has them, by their names. */
  features?: Record<string, boolean>;
  /** For how many those are on that are not on for everybody, in whole percent. */
  rollouts?: Record<string, number>;
  /** Another name for `sqlite.busyTimeout`. */
  busyTimeout?: Span;
  /** Encoding of answers; the default is what measured fastest on this runtime. */
  compression?: "identity" | "gzip" | "auto";
  /** Other databases that hold the same: reads are spread over all, and move on when one fails. See docs/cluster.md. */
  replicas?: ReplicaOptions[];
  /** How the client's own database is described among them. */
  primary?: PrimaryOptions;
  loadBalancing?: LoadBalancingOptions;
  failover?: FailoverOptions;
  /** Where this client runs: databases of this region come first. The default is what the platform tells. */
  region?: string;
}

/** How one operation differs from the client's settings. */
export interface OperationOptions {
  /** Deadline in milliseconds. */
  timeout?: number;
  /** Aborts the operation. */
  signal?: AbortSignal;
  /** `false` bypasses the breaker for this operation only. */
  useCircuitBreaker?: boolean;
  /** Vouches that repeating the operation is harmless, so that it may be retried like a read. */
  idempotent?: boolean;
  /** Its own retries; what is not set is as the client has it. At most 15 different ones for one client. */
  retry?: OperationRetry;
  /**
   * `false` neither looks for this read's result in memory nor keeps it there; an object, also an empty one, does so
   * whatever `queryCache.enabled` says. Without meaning for what is no read.
   */
  cache?: false | OperationCache;
  /** From `consistencyToken()`, here or in another isolate: a read sees at least what had been written by then. */
  consistencyToken?: string | null | undefined;
  /** Who goes first when operations wait for a lease. Default: the tier's, else `"medium"`; half a second of waiting is worth a level. */
  priority?: Priority;
  /** `false` keeps a read from being sent a second time while the first is out. */
  hedge?: boolean;
  /** Names the operation, in errors and in `operations()`. Beyond 100 different pairs of names, it counts as `other`. */
  operationName?: string;
  /** Names the table that the operation is about, in `operations()`. */
  tableName?: string;
  /** Only to databases that have all of these tags. */
  tags?: Tags;
  /** Only to the database of this name. */
  endpoint?: string;
  /** Databases of this region first, instead of the client's own. */
  region?: string;
  /** The trace that it belongs to: the headers of the request that asks for it. Only where `tracing` or `logging` is on. */
  trace?: TraceCarrier;
  /** `false`: to one database only, with all of its time. For a read that takes longer than a failover may. */
  failover?: boolean;
  /** Whom it is for: the same one always goes through the same layers. Only where `layers` is set. */
  rolloutKey?: string;
}
