// Databases that are looked after, what was measured of them and what happened to them, in tables of a libSQL database.
//
// Whatever comes from a caller is a parameter of a statement and never part of its text.

import { demandMethods } from "../store/checks.ts";
import { Redactor } from "../telemetry/redact.ts";
import { Checks } from "./checks.ts";
import { CryptoKeys, cryptoKeys } from "./crypto-keys.ts";
import {
  COLUMNS,
  CONNECTION,
  checkDatabase,
  type DatabaseEvent,
  type DatabaseHealth,
  type DatabaseMetric,
  type DatabaseStats,
  databaseOf,
  EVENT_LEVELS,
  type EventLevel,
  HEALTH,
  type HealthReport,
  healthOf,
  ID,
  type MetricStats,
  type NewDatabase,
  type Row,
  type StoredDatabase,
} from "./database-records.ts";
import { type Belonging, open, seal } from "./envelope.ts";
import { type MigrationResult, migrate } from "./migrate.ts";
import { type Cleaned, cleanLogs, cleanMetrics, type RetentionOptions } from "./retention.ts";
import { type Rotated, type RotateOptions, rotate } from "./rotation.ts";

/** A statement with its parameters. */
export interface RecordsStatement {
  sql: string;
  args: (string | number | null)[];
}

/** What is read of a result. */
export interface RecordsResult {
  rows: ArrayLike<unknown>;
  rowsAffected: number;
}

/** The part of a client that is used: of `@libsql/client`, or of ours. `batch` is one transaction. */
export interface RecordsClient {
  execute(statement: RecordsStatement): Promise<RecordsResult>;
  batch(statements: RecordsStatement[], mode: "write"): Promise<RecordsResult[]>;
}

/** What {@link createRecords} is made of. */
export interface RecordsOptions {
  client: RecordsClient;
  /** By default those of `SEAWALL_CRYPTO_KEY` in the process's environment. On Workers: `cryptoKeys(env)`. */
  keys?: CryptoKeys | readonly string[];
  /** Milliseconds since the epoch; `Date.now` by default. */
  now?: () => number;
}

/** Which databases {@link Records.databases} lists. */
export interface DatabasesOptions {
  /** Those of one project; of all by default. */
  project?: string;
  /** 100 by default, 1000 at most. */
  limit?: number;
  /** Those whose ids come after this one: the last of the page before. */
  after?: string;
}

/** How far back {@link Records.getDatabaseStats} looks. */
export interface StatsOptions {
  /** 24 by default, a year at most. */
  hours?: number;
}

/** The records of one database of records. */
export interface Records {
  /** Makes the tables, the view and the triggers where they are missing. Safe to call by many at once, and again. */
  migrate(): Promise<MigrationResult>;
  /** Stores a database, its connection string encrypted. @throws TypeError with all that is wrong with it. */
  addDatabase(database: NewDatabase): Promise<StoredDatabase>;
  /** One database; undefined if there is none of this id. */
  database(id: string): Promise<StoredDatabase | undefined>;
  /** Databases by their ids. */
  databases(options?: DatabasesOptions): Promise<StoredDatabase[]>;
  /** The view `platform_database_health_overview`, by ids. */
  healthOverview(options?: DatabasesOptions): Promise<DatabaseHealth[]>;
  /**
   * The connection string of a database, in clear.
   *
   * @throws RangeError if there is none of this id; ResilienceError `SECRET_UNREADABLE` if no key opens it.
   */
  connectionOf(id: string): Promise<string>;
  /** Stores another connection string. @throws RangeError if there is no database of this id. */
  changeConnection(id: string, connection: string): Promise<void>;
  /** Removes a database and what was measured of it. The log stays. False if there was none. */
  removeDatabase(id: string): Promise<boolean>;
  /** Stores measurements: one, or up to 500 at once, all or none. @throws RangeError if there is no such database. */
  recordDatabaseMetric(metric: DatabaseMetric | readonly DatabaseMetric[]): Promise<void>;
  /** Appends to the log, which nobody can change. */
  logDatabaseEvent(event: DatabaseEvent): Promise<void>;
  /**
   * Stores what a look at a database found, and logs it if that changed. False for a report that is older than the one
   * that is stored.
   *
   * @throws RangeError if there is no database of this id.
   */
  updateDatabaseHealth(id: string, report: HealthReport): Promise<boolean>;
  /** One database at a glance. @throws RangeError if there is none of this id. */
  getDatabaseStats(id: string, options?: StatsOptions): Promise<DatabaseStats>;
  /** Forgets measurements that are older than 30 days, or as the options say. */
  cleanupOldDatabaseMetrics(options?: RetentionOptions): Promise<Cleaned>;
  /** Forgets events that are older than 90 days, or as the options say; the latest day is always kept. */
  cleanupOldDatabaseLogs(options?: RetentionOptions): Promise<Cleaned>;
  /**
   * Encrypts anew what an older key sealed. It may be broken off and called again, and whoever writes meanwhile wins.
   */
  rotateKeys(options?: RotateOptions): Promise<Rotated>;
}

/** Table and field of connection strings, which an envelope belongs to. */
export function belongingOf(id: string): Belonging {
  return ["platform_databases", id, "connection"];
}

const HOUR_MS = 3_600_000;
const HOURS_MAX = 8_784;
const PAGE = 100;
const PAGE_MAX = 1_000;
const METRICS_MAX = 500;
/** Names of metrics that a look at a database shows. */
const NAMES_MAX = 200;
const LABELS_MAX = 4_096;
const DETAIL_MAX = 8_192;

const ADD = `INSERT INTO platform_databases
  (id, project, name, type, tier, connection, is_enabled, created_at_ms, updated_at_ms)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const LOG = `INSERT INTO platform_database_connection_logs
  (database_id, event, level, message, detail, actor, request_id, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;
const LOG_IF_THERE = LOG.replace(/VALUES .*/, "SELECT id, ?, ?, ?, ?, ?, ?, ? FROM platform_databases WHERE id = ?");
/** Nothing is measured of a database that there is not, whether or not the server minds references. */
const MEASURE = `INSERT INTO platform_database_metrics (database_id, metric, value, unit, labels, at_ms)
  SELECT id, ?, ?, ?, ?, ? FROM platform_databases WHERE id = ?`;
const IS_NEWER = "id = ? AND (health_checked_at_ms IS NULL OR health_checked_at_ms <= ?)";
const LOG_HEALTH = `INSERT INTO platform_database_connection_logs
  (database_id, event, level, message, detail, at_ms)
  SELECT id, 'health_changed', ?, ?, json_object('from', health, 'to', ?), ?
  FROM platform_databases WHERE ${IS_NEWER} AND health <> ?`;
const SET_HEALTH = `UPDATE platform_databases
  SET health = ?, health_message = ?, health_latency_ms = ?, health_checked_at_ms = ?, updated_at_ms = ?,
  consecutive_failures = CASE WHEN ? = 'unhealthy' THEN consecutive_failures + 1 ELSE 0 END
  WHERE ${IS_NEWER}`;
const METRIC_STATS = `SELECT metric, count(*) AS count, min(value) AS min, max(value) AS max, avg(value) AS average,
  (SELECT value FROM platform_database_metrics AS latest
    WHERE latest.database_id = series.database_id AND latest.metric = series.metric
    ORDER BY at_ms DESC, id DESC LIMIT 1) AS latest
  FROM platform_database_metrics AS series WHERE database_id = ? AND at_ms >= ?
  GROUP BY metric ORDER BY metric LIMIT ${NAMES_MAX}`;
const EVENT_STATS = `SELECT level, count(*) AS count FROM platform_database_connection_logs
  WHERE database_id = ? AND at_ms >= ? GROUP BY level`;

/**
 * Opens the records of a database. Nothing is sent yet.
 *
 * @throws TypeError when the client is none, or there is no key: connection strings are encrypted or not stored.
 */
export function createRecords(options: RecordsOptions): Records {
  const { client, keys: given, now = Date.now } = options ?? {};
  demandMethods(client, ["execute", "batch"], "createRecords", '{ client }: one of "seawall" or "@libsql/client"');
  const keys = given instanceof CryptoKeys ? given : given === undefined ? cryptoKeys() : new CryptoKeys(given);
  return new OpenRecords(client, keys, now);
}

class OpenRecords implements Records {
  readonly #client: RecordsClient;
  readonly #keys: CryptoKeys;
  readonly #now: () => number;
  readonly #redactor = new Redactor();

  constructor(client: RecordsClient, keys: CryptoKeys, now: () => number) {
    this.#client = client;
    this.#keys = keys;
    this.#now = now;
    keys.teach((secret) => this.#redactor.learn(secret));
  }

  migrate(): Promise<MigrationResult> {
    return migrate(this.#client);
  }

  async addDatabase(database: NewDatabase): Promise<StoredDatabase> {
    const checks = new Checks("addDatabase", database);
    checks.only(database, ["id", "project", "name", "type", "connection", "tier", "isEnabled"]);
    const id = checks.text("id", database.id ?? crypto.randomUUID(), ID);
    const { project, name, type, tier, connection, isEnabled } = checkDatabase(checks, database);
    checks.done();
    const sealed = await seal(this.#keys, connection, belongingOf(id));
    const at = Math.floor(this.#now());
    await this.#client.batch(
      [
        { sql: ADD, args: [id, project, name, type, tier, sealed, Number(isEnabled), at, at] },
        { sql: LOG, args: [id, "added", "info", null, null, null, null, at] },
      ],
      "write",
    );
    return {
      id,
      project,
      name,
      type,
      tier,
      isEnabled,
      health: "unknown",
      consecutiveFailures: 0,
      createdAtMs: at,
      updatedAtMs: at,
    };
  }

  async database(id: string): Promise<StoredDatabase | undefined> {
    checkId("database", id);
    const [row] = await this.#rows(`SELECT ${COLUMNS} FROM platform_databases WHERE id = ?`, [id]);
    return row === undefined ? undefined : databaseOf(row);
  }

  async databases(options: DatabasesOptions = {}): Promise<StoredDatabase[]> {
    return (await this.#page("databases", COLUMNS, "platform_databases", options)).map(databaseOf);
  }

  async healthOverview(options: DatabasesOptions = {}): Promise<DatabaseHealth[]> {
    return (await this.#page("healthOverview", "*", "platform_database_health_overview", options)).map(healthOf);
  }

  async connectionOf(id: string): Promise<string> {
    checkId("connectionOf", id);
    const [row] = await this.#rows("SELECT connection FROM platform_databases WHERE id = ?", [id]);
    if (row === undefined) throw noDatabase(id);
    return open(this.#keys, String(row.connection), belongingOf(id));
  }

  async changeConnection(id: string, connection: string): Promise<void> {
    const checks = new Checks("changeConnection", {});
    checks.text("id", id, ID);
    checks.text("connection", connection, CONNECTION);
    checks.done();
    const at = Math.floor(this.#now());
    const sealed = await seal(this.#keys, connection, belongingOf(id));
    const sql = "UPDATE platform_databases SET connection = ?, updated_at_ms = ? WHERE id = ?";
    const [changed] = await this.#client.batch(
      [
        { sql, args: [sealed, at, id] },
        { sql: LOG_IF_THERE, args: ["connection_changed", "info", null, null, null, null, at, id] },
      ],
      "write",
    );
    if (changed?.rowsAffected !== 1) throw noDatabase(id);
  }

  async removeDatabase(id: string): Promise<boolean> {
    checkId("removeDatabase", id);
    const [, , removed] = await this.#client.batch(
      [
        { sql: LOG_IF_THERE, args: ["removed", "info", null, null, null, null, Math.floor(this.#now()), id] },
        { sql: "DELETE FROM platform_database_metrics WHERE database_id = ?", args: [id] },
        { sql: "DELETE FROM platform_databases WHERE id = ?", args: [id] },
      ],
      "write",
    );
    return removed?.rowsAffected === 1;
  }

  async recordDatabaseMetric(metric: DatabaseMetric | readonly DatabaseMetric[]): Promise<void> {
    const metrics = Array.isArray(metric) ? (metric as readonly DatabaseMetric[]) : [metric as DatabaseMetric];
    if (metrics.length === 0) return;
    if (metrics.length > METRICS_MAX) {
      throw new TypeError(`recordDatabaseMetric takes up to ${METRICS_MAX} at once, got ${metrics.length}`);
    }
    const statements = metrics.map((one) => this.#measure(one));
    const [only, ...others] = statements as [RecordsStatement, ...RecordsStatement[]];
    if (others.length === 0) {
      const { rowsAffected } = await this.#client.execute(only);
      if (rowsAffected !== 1) throw noDatabase((metrics[0] as DatabaseMetric).databaseId);
      return;
    }
    // One that finds no database must take the others with it.
    const ids = [...new Set(metrics.map(({ databaseId }) => databaseId))];
    const found = await this.#rows(`SELECT id FROM platform_databases WHERE id IN (SELECT value FROM json_each(?))`, [
      JSON.stringify(ids),
    ]);
    const known = new Set(found.map(({ id }) => id));
    const missing = ids.find((id) => !known.has(id));
    if (missing !== undefined) throw noDatabase(missing);
    await this.#client.batch(statements, "write");
  }

  async logDatabaseEvent(event: DatabaseEvent): Promise<void> {
    const checks = new Checks("logDatabaseEvent", event);
    checks.only(event, ["databaseId", "event", "level", "message", "detail", "actor", "requestId", "at"]);
    const { message, detail } = event;
    const safe = detail === undefined ? undefined : this.#redactor.value("", detail);
    const args = [
      checks.text("databaseId", event.databaseId, ID),
      checks.text("event", event.event, { max: 64 }),
      checks.text("level", event.level ?? "info", { max: 5, of: EVENT_LEVELS }),
      this.#told(checks, message) ?? null,
      safe === undefined ? null : checks.json("detail", safe, DETAIL_MAX),
      checks.optionalText("actor", event.actor, { max: 128 }) ?? null,
      checks.optionalText("requestId", event.requestId, { max: 128 }) ?? null,
      checks.time("at", event.at, this.#now()),
    ];
    checks.done();
    await this.#client.execute({ sql: LOG, args });
  }

  async updateDatabaseHealth(id: string, report: HealthReport): Promise<boolean> {
    const checks = new Checks("updateDatabaseHealth", report);
    checks.only(report, ["health", "message", "latencyMs", "checkedAt"]);
    checks.text("id", id, ID);
    const now = Math.floor(this.#now());
    const health = checks.text("health", report.health, { max: 9, of: HEALTH });
    const message = this.#told(checks, report.message) ?? null;
    const latency = report.latencyMs === undefined ? null : checks.number("latencyMs", report.latencyMs, 0, 1e12);
    const at = checks.time("checkedAt", report.checkedAt, now);
    checks.done();
    const level: EventLevel = health === "unhealthy" ? "error" : health === "degraded" ? "warn" : "info";
    const [, changed] = await this.#client.batch(
      [
        { sql: LOG_HEALTH, args: [level, message, health, at, id, at, health] },
        { sql: SET_HEALTH, args: [health, message, latency, at, now, health, id, at] },
      ],
      "write",
    );
    if (changed?.rowsAffected === 1) return true;
    if ((await this.database(id)) === undefined) throw noDatabase(id);
    return false;
  }

  async getDatabaseStats(id: string, options: StatsOptions = {}): Promise<DatabaseStats> {
    const checks = new Checks("getDatabaseStats", options);
    checks.only(options, ["hours"]);
    checks.text("id", id, ID);
    const hours = checks.number("hours", options.hours ?? 24, 0, HOURS_MAX);
    checks.done();
    const sinceMs = Math.floor(this.#now() - hours * HOUR_MS);
    const [database, metrics, events] = await Promise.all([
      this.database(id),
      this.#rows(METRIC_STATS, [id, sinceMs]),
      this.#rows(EVENT_STATS, [id, sinceMs]),
    ]);
    if (database === undefined) throw noDatabase(id);
    const counts = new Map(events.map(({ level, count }) => [level, Number(count)]));
    const byLevel = EVENT_LEVELS.map((level) => [level, counts.get(level) ?? 0]);
    return { database, sinceMs, metrics: metrics.map(statsOf), events: Object.fromEntries(byLevel) };
  }

  cleanupOldDatabaseMetrics(options: RetentionOptions = {}): Promise<Cleaned> {
    return cleanMetrics(this.#client, options, this.#now());
  }

  cleanupOldDatabaseLogs(options: RetentionOptions = {}): Promise<Cleaned> {
    return cleanLogs(this.#client, options, this.#now());
  }

  rotateKeys(options: RotateOptions = {}): Promise<Rotated> {
    return rotate(this.#client, this.#keys, options);
  }

  toJSON(): string {
    return "Records";
  }

  #measure(metric: DatabaseMetric): RecordsStatement {
    const checks = new Checks("recordDatabaseMetric", metric);
    checks.only(metric, ["databaseId", "metric", "value", "unit", "labels", "at"]);
    const id = checks.text("databaseId", metric.databaseId, ID);
    const args = [
      checks.text("metric", metric.metric, { max: 128 }),
      checks.number("value", metric.value),
      checks.text("unit", metric.unit ?? "", { min: 0, max: 32 }),
      checks.json("labels", this.#redactor.value("", metric.labels ?? {}), LABELS_MAX),
      checks.time("at", metric.at, this.#now()),
      id,
    ];
    checks.done();
    return { sql: MEASURE, args };
  }

  /** A message without what can be recognized as a secret. */
  #told(checks: Checks, message: string | undefined): string | undefined {
    if (message === undefined) return undefined;
    if (typeof message !== "string") checks.text("message", message, { max: 1_000 });
    return this.#redactor.text(String(message));
  }

  async #page(caller: string, columns: string, table: string, options: DatabasesOptions): Promise<Row[]> {
    const checks = new Checks(caller, options);
    checks.only(options, ["project", "limit", "after"]);
    const project = checks.optionalText("project", options.project, { max: 128 }) ?? null;
    const after = checks.text("after", options.after ?? "", { min: 0, max: 64 });
    const limit = checks.whole("limit", options.limit ?? PAGE, 1, PAGE_MAX);
    checks.done();
    const sql = `SELECT ${columns} FROM ${table} WHERE id > ? AND (? IS NULL OR project = ?) ORDER BY id LIMIT ?`;
    return this.#rows(sql, [after, project, project, limit]);
  }

  async #rows(sql: string, args: (string | number | null)[]): Promise<Row[]> {
    return Array.from((await this.#client.execute({ sql, args })).rows as ArrayLike<Row>);
  }
}

function statsOf(row: Row): MetricStats {
  return {
    metric: String(row.metric),
    count: Number(row.count),
    min: Number(row.min),
    max: Number(row.max),
    average: Number(row.average),
    latest: Number(row.latest),
  };
}

function checkId(caller: string, id: string): void {
  const checks = new Checks(caller, {});
  checks.text("id", id, ID);
  checks.done();
}

function noDatabase(id: string): RangeError {
  return new RangeError(`There is no database ${JSON.stringify(id)}`);
}
