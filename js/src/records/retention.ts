// Forgets what is old, some rows at a time, so that no transaction is long.

import { Checks } from "./checks.ts";
import type { RecordsClient, RecordsStatement } from "./records.ts";

/** How long something is kept. */
export interface RetentionOptions {
  /** Days that are kept; at least 1. */
  retentionDays?: number;
  /** Rows of one transaction: 500 by default, 5000 at most. */
  batch?: number;
  /** Rows of one call: 50,000 by default. */
  limit?: number;
}

/** What became of it. */
export interface Cleaned {
  readonly deleted: number;
  /** Whether there may be more than `limit` allowed: call again. */
  readonly more: boolean;
}

const DAY_MS = 86_400_000;
const DAYS_MAX = 36_500;
const METRICS_DAYS = 30;
const LOGS_DAYS = 90;
const BATCH = 500;
const BATCH_MAX = 5_000;
const LIMIT = 50_000;
const LIMIT_MAX = 10_000_000;

const METRICS = oldest("platform_database_metrics");
const LOGS = oldest("platform_database_connection_logs");

/** Deletes old measurements. */
export function cleanMetrics(client: RecordsClient, options: RetentionOptions, now: number): Promise<Cleaned> {
  return clean("cleanupOldDatabaseMetrics", METRICS_DAYS, options, now, async (before, rows) => {
    const result = await client.execute({ sql: METRICS, args: [before, rows] });
    return result.rowsAffected;
  });
}

/**
 * Deletes old events. The log is append-only: what it may lose is said in `platform_log_retention`, in the same
 * transaction that deletes it and takes the permission back.
 */
export function cleanLogs(client: RecordsClient, options: RetentionOptions, now: number): Promise<Cleaned> {
  const permit = (before: number): RecordsStatement => ({
    sql: "UPDATE platform_log_retention SET before_ms = ? WHERE id = 1",
    args: [before],
  });
  return clean("cleanupOldDatabaseLogs", LOGS_DAYS, options, now, async (before, rows) => {
    const [, deleted] = await client.batch([permit(before), { sql: LOGS, args: [before, rows] }, permit(0)], "write");
    return deleted?.rowsAffected ?? 0;
  });
}

async function clean(
  caller: string,
  days: number,
  options: RetentionOptions,
  now: number,
  remove: (beforeMs: number, rows: number) => Promise<number>,
): Promise<Cleaned> {
  const checks = new Checks(caller, options);
  checks.only(options, ["retentionDays", "batch", "limit"]);
  const kept = checks.number("retentionDays", options.retentionDays ?? days, 1, DAYS_MAX);
  const batch = checks.whole("batch", options.batch ?? BATCH, 1, BATCH_MAX);
  const limit = checks.whole("limit", options.limit ?? LIMIT, 1, LIMIT_MAX);
  checks.done();
  const before = Math.floor(now - kept * DAY_MS);
  let deleted = 0;
  while (deleted < limit) {
    const rows = Math.min(batch, limit - deleted);
    const removed = await remove(before, rows);
    deleted += removed;
    if (removed < rows) return { deleted, more: false };
  }
  return { deleted, more: true };
}

function oldest(table: string): string {
  return `DELETE FROM ${table} WHERE id IN (SELECT id FROM ${table} WHERE at_ms < ? ORDER BY at_ms LIMIT ?)`;
}
