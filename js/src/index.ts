export type {
  Client,
  InArgs,
  InStatement,
  IntMode,
  InValue,
  Replicated,
  ResultNotes,
  ResultSet,
  Row,
  Transaction,
  TransactionMode,
  Value,
} from "./api.ts";
export type { CacheControls } from "./cache/client-cache.ts";
export type { CacheStats } from "./cache/query-cache.ts";
export type { CircuitChange, CircuitEvent, CircuitEventName, CircuitListener, Why } from "./circuit.ts";
export { DatabaseCircuitBreaker, type DatabaseCircuitBreakerOptions } from "./circuit-breaker.ts";
export { type Config, createClient, type SeawallClient } from "./client.ts";
export type { ClusterControls } from "./cluster/controls.ts";
export type { ClusterEvent, ClusterEventName, ClusterListener } from "./cluster/events.ts";
export type {
  DatabaseOptions,
  FailoverOptions,
  LoadBalancingOptions,
  PrimaryOptions,
  ReplicaOptions,
  Tags,
} from "./cluster/options.ts";
export type { ClusterStatus, EndpointStatus } from "./cluster/status.ts";
export type { EffectiveSetting } from "./config/document.ts";
export { type ConnectionFromEnv, connectionFromEnv, fromEnv, type Variables } from "./config/from-env.ts";
export type {
  AlertOptions,
  CircuitBreakerOptions,
  ConnectionPoolOptions,
  ConsistencyOptions,
  GivenSetting,
  HedgeOptions,
  ManagerNames,
  OperationCache,
  OperationOptions,
  OperationRetry,
  PoolStrategy,
  Priority,
  QueryCacheOptions,
  RateLimitOptions,
  RetryOptions,
  SeawallOptions,
  SlowQueryOptions,
  Span,
  SqliteOptions,
  StateOptions,
  TimeoutOptions,
} from "./config/options.ts";
export type { Plugin } from "./config/plugins.ts";
export type { ConsistencyStatus } from "./consistency/consistency.ts";
export type { ClientControls, ClientStatus } from "./consistency/view.ts";
export { type CircuitBreakerControls, type CircuitMetrics, CircuitState, type Controls } from "./controls.ts";
export type { Driver, Refusal } from "./driver.ts";
export {
  DatabaseCircuitBreakerError,
  DatabaseRetryError,
  DatabaseTimeoutError,
  LibsqlBatchError,
  LibsqlError,
  type OperationOutcome,
  type Origin,
  OutcomeUnknownError,
  PoolExhaustedError,
  QueryTooExpensiveError,
  RateLimitedError,
  ResilienceError,
  type RetryAdvice,
} from "./errors.ts";
export { createGuard } from "./guard.ts";
export type { EffectiveConfig } from "./live-settings.ts";
export type { AttemptContext } from "./operation.ts";
export { type PreflightFinding, type PreflightOptions, preflight } from "./preflight.ts";
export type { DatabaseType } from "./protect/profiles.ts";
export { controlsOfProtected, type ProtectOptions, protect, unprotected, withOperation } from "./protect/protect.ts";
export { Registry, type RegistryEntry, type RegistryOptions, type SharedOptions } from "./registry.ts";
export type { SlowQuery, SlowQueryEvent, SlowQueryListener } from "./slow-queries.ts";
export type {
  BreakerState,
  CleanupTarget,
  ColoStatus,
  ConnectionStatus,
  FleetStatus,
  HandOnBreaker,
  IgnoredSetting,
  OperationStatus,
  PoolBounds,
  PoolStats,
  Status,
} from "./status.ts";
export { memoryStore } from "./store/memory.ts";
export type { Store } from "./store/store.ts";
export { type KvNamespace, workersKvStore } from "./store/workers-kv.ts";
export type { TelemetryControls, TelemetryStatus } from "./telemetry/controls.ts";
export type { LogLevel, LogRecord, LogSink } from "./telemetry/logger.ts";
export type { LoggingOptions, TracingOptions } from "./telemetry/options.ts";
export { type OtlpOptions, otlpTracer } from "./telemetry/otlp.ts";
export type {
  Attributes,
  AttributeValue,
  ExportStatus,
  Meter,
  SpanBeginning,
  Tracer,
  TraceSpan,
} from "./telemetry/span.ts";
export type { HeaderCarrier, TraceCarrier, TraceContext } from "./telemetry/trace-context.ts";
export type { CapacityOptions, CapacityStatus } from "./tenants/capacity.ts";
export type { QueryCostOptions } from "./tenants/query-cost.ts";
export {
  type ProtectedTenant,
  type TenantConfig,
  type TenantOrder,
  Tenants,
  type TenantsOptions,
  type TenantsStatus,
} from "./tenants/tenants.ts";
export type { TierLimits, TierName, TierStatus } from "./tenants/tier.ts";
export { TIERS } from "./tenants/tier-table.ts";
export {
  type BatchScaling,
  DatabaseTimeoutHandler,
  DEFAULT_TIMEOUTS,
  TIER_QUERY_TIMEOUTS,
  type TimeoutClass,
  TimeoutUtils,
  tierTimeouts,
} from "./timeouts.ts";
export type { Compression } from "./transport/transport.ts";
