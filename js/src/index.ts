export type {
  Client,
  InArgs,
  InStatement,
  IntMode,
  InValue,
  Replicated,
  ResultSet,
  Row,
  Transaction,
  TransactionMode,
  Value,
} from "./api.ts";
export { type Config, createClient, type SeawallClient } from "./client.ts";
export type {
  CircuitBreakerOptions,
  ConnectionPoolOptions,
  OperationOptions,
  RetryOptions,
  SeawallOptions,
  StateOptions,
  TimeoutOptions,
} from "./config/options.ts";
export { type CircuitBreakerControls, CircuitState, type Controls } from "./controls.ts";
export { createGuard, type Driver, type Refusal } from "./driver.ts";
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
  ResilienceError,
  type RetryAdvice,
} from "./errors.ts";
export type { BreakerState, ConnectionStatus, Status } from "./status.ts";
export { memoryStore } from "./store/memory.ts";
export type { Store } from "./store/store.ts";
export { type KvNamespace, workersKvStore } from "./store/workers-kv.ts";
export type { Compression } from "./transport/transport.ts";
