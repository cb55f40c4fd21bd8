// What is recorded of databases, and how it looks when it is read.

import type { TierName } from "../tenants/tier.ts";
import { TIERS } from "../tenants/tier-table.ts";
import type { Checks, TextRule } from "./checks.ts";

/** One row, by the names of its columns. */
export type Row = Readonly<Record<string, unknown>>;

/** Kinds of databases that can be stored. */
export const DATABASE_TYPES = ["libsql", "sqlite", "postgresql", "redis", "mongodb", "prisma", "d1", "other"] as const;
export type StoredDatabaseType = (typeof DATABASE_TYPES)[number];

/** What may be said of a database's health. */
export const HEALTH = ["unknown", "healthy", "degraded", "unhealthy"] as const;
export type Health = (typeof HEALTH)[number];

/** How grave an event is. */
export const EVENT_LEVELS = ["debug", "info", "warn", "error"] as const;
export type EventLevel = (typeof EVENT_LEVELS)[number];

/** A database as it is added. */
export interface NewDatabase {
  /** A random UUID by default. */
  id?: string;
  /** Whose it is. */
  project: string;
  /** Once in each project. */
  name: string;
  type: StoredDatabaseType;
  /** The connection string, up to 8192 characters. It is stored encrypted. */
  connection: string;
  /** `FREE` by default. */
  tier?: TierName;
  /** True by default. */
  isEnabled?: boolean;
}

/** A database, without its connection string. Times are milliseconds since the epoch. */
export interface StoredDatabase {
  readonly id: string;
  readonly project: string;
  readonly name: string;
  readonly type: StoredDatabaseType;
  readonly tier: TierName;
  readonly isEnabled: boolean;
  readonly health: Health;
  readonly healthMessage?: string;
  readonly healthLatencyMs?: number;
  readonly healthCheckedAtMs?: number;
  /** Times in a row that it was found unhealthy. */
  readonly consecutiveFailures: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** A database as the view `platform_database_health_overview` shows it. */
export interface DatabaseHealth extends Omit<StoredDatabase, "createdAtMs" | "updatedAtMs"> {
  readonly errorsLastHour: number;
  readonly lastEventAtMs?: number;
  readonly lastMetricAtMs?: number;
}

/** One measurement. */
export interface DatabaseMetric {
  databaseId: string;
  /** Up to 128 characters. */
  metric: string;
  value: number;
  unit?: string;
  /** Up to 4096 characters as JSON. */
  labels?: Readonly<Record<string, string | number | boolean>>;
  /** Now by default. */
  at?: number | Date;
}

/** One event of the log. */
export interface DatabaseEvent {
  databaseId: string;
  /** Such as `connected`, `circuit_opened`; up to 64 characters. */
  event: string;
  /** `info` by default. */
  level?: EventLevel;
  /** What happened, in a sentence. Secrets that can be recognized are taken out, and it is cut to 1000 characters. */
  message?: string;
  /** More of it; secrets are taken out by name as well. Up to 8192 characters as JSON. */
  detail?: Readonly<Record<string, unknown>>;
  /** Who did it. */
  actor?: string;
  /** The request that did it. */
  requestId?: string;
  /** Now by default. */
  at?: number | Date;
}

/** What a look at a database found. */
export interface HealthReport {
  health: Health;
  message?: string;
  latencyMs?: number;
  /** Now by default. A report that is older than the one that is stored changes nothing. */
  checkedAt?: number | Date;
}

/** What was measured under one name. */
export interface MetricStats {
  readonly metric: string;
  readonly count: number;
  readonly min: number;
  readonly max: number;
  readonly average: number;
  readonly latest: number;
}

/** One database at a glance. */
export interface DatabaseStats {
  readonly database: StoredDatabase;
  /** From when on it was counted. */
  readonly sinceMs: number;
  /** By name, up to 200 names. */
  readonly metrics: readonly MetricStats[];
  /** Events by level. */
  readonly events: Readonly<Record<EventLevel, number>>;
}

const NAME: TextRule = { max: 128 };
export const ID: TextRule = { max: 64 };
export const CONNECTION: TextRule = { max: 8_192, isSecret: true };

/** Checks what is to be added, but for its id. */
export function checkDatabase(checks: Checks, given: NewDatabase): Required<Omit<NewDatabase, "id">> {
  return {
    project: checks.text("project", given.project, NAME),
    name: checks.text("name", given.name, NAME),
    type: checks.text("type", given.type, { max: 64, of: DATABASE_TYPES }) as StoredDatabaseType,
    connection: checks.text("connection", given.connection, CONNECTION),
    tier: checks.text("tier", given.tier ?? "FREE", { max: 64, of: Object.keys(TIERS) }) as TierName,
    isEnabled: checks.boolean("isEnabled", given.isEnabled ?? true),
  };
}

/** Columns of {@link StoredDatabase}: all but the connection string. */
export const COLUMNS =
  "id, project, name, type, tier, is_enabled, health, health_message, health_latency_ms, health_checked_at_ms, " +
  "consecutive_failures, created_at_ms, updated_at_ms";

export function databaseOf(row: Row): StoredDatabase {
  return {
    ...commonOf(row),
    createdAtMs: Number(row.created_at_ms),
    updatedAtMs: Number(row.updated_at_ms),
  };
}

export function healthOf(row: Row): DatabaseHealth {
  return {
    ...commonOf(row),
    errorsLastHour: Number(row.errors_last_hour),
    ...numberOf("lastEventAtMs", row.last_event_at_ms),
    ...numberOf("lastMetricAtMs", row.last_metric_at_ms),
  };
}

function commonOf(row: Row): Omit<StoredDatabase, "createdAtMs" | "updatedAtMs"> {
  return {
    id: String(row.id),
    project: String(row.project),
    name: String(row.name),
    type: row.type as StoredDatabaseType,
    tier: row.tier as TierName,
    isEnabled: Number(row.is_enabled) === 1,
    health: row.health as Health,
    ...(row.health_message !== null && { healthMessage: String(row.health_message) }),
    ...numberOf("healthLatencyMs", row.health_latency_ms),
    ...numberOf("healthCheckedAtMs", row.health_checked_at_ms),
    consecutiveFailures: Number(row.consecutive_failures),
  };
}

function numberOf<Name extends string>(name: Name, value: unknown): { [key in Name]?: number } {
  return (value === null || value === undefined ? {} : { [name]: Number(value) }) as { [key in Name]?: number };
}
