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
export { type Config, createClient } from "./client.ts";
export type { SeawallOptions } from "./config/options.ts";
export {
  type CircuitState,
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
export { memoryStore } from "./store/memory.ts";
export type { Store } from "./store/store.ts";
export { type KvNamespace, workersKvStore } from "./store/workers-kv.ts";
export type { Compression } from "./transport/transport.ts";
