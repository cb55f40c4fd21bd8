// `seawall/records`: databases that are looked after, with encrypted connection strings, measurements and a log.

export { CryptoKeys, cryptoKeys, type KeyVariables } from "./crypto-keys.ts";
export type {
  DatabaseEvent,
  DatabaseHealth,
  DatabaseMetric,
  DatabaseStats,
  EventLevel,
  Health,
  HealthReport,
  MetricStats,
  NewDatabase,
  StoredDatabase,
  StoredDatabaseType,
} from "./database-records.ts";
export { MIGRATION_SQL, type MigrationResult } from "./migrate.ts";
export {
  createRecords,
  type DatabasesOptions,
  type Records,
  type RecordsClient,
  type RecordsOptions,
  type RecordsResult,
  type RecordsStatement,
  type StatsOptions,
} from "./records.ts";
export type { Cleaned, RetentionOptions } from "./retention.ts";
export type { Rotated, RotateOptions } from "./rotation.ts";
