// Runs the migration, by as many isolates at once as there are.

import migration from "./003_add_multi_database_support.sql";
import type { RecordsClient } from "./records.ts";

/** The migration's text, for whoever runs migrations in a way of their own. */
export const MIGRATION_SQL: string = migration;

const VERSION = 3;
/** Tries of an isolate that others hold up. */
const TRIES_MAX = 8;
/** Milliseconds that the first pause takes at most; each further one twice as long. */
const PAUSE_MS = 25;

/** What {@link migrate} found. */
export interface MigrationResult {
  /** False where somebody had run it before. */
  readonly applied: boolean;
}

/**
 * Brings the tables into being, all or none. Those who come at the same time wait for each other; whoever has lost an
 * answer looks before repeating anything.
 *
 * @throws What the database said, when it still says so after eight tries, or at once if waiting does not help.
 */
export async function migrate(client: RecordsClient): Promise<MigrationResult> {
  for (let tries = 1; ; tries += 1) {
    try {
      if (await isApplied(client)) return { applied: false };
      await client.batch(
        statementsOf(MIGRATION_SQL).map((sql) => ({ sql, args: [] })),
        "write",
      );
      return { applied: true };
    } catch (error) {
      if (tries === TRIES_MAX || !canPass(error)) throw error;
      const pauseMs = PAUSE_MS * 2 ** (tries - 1) * Math.random();
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

async function isApplied(client: RecordsClient): Promise<boolean> {
  const sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'platform_migrations'";
  if ((await client.execute({ sql, args: [] })).rows.length === 0) return false;
  const found = await client.execute({
    sql: "SELECT 1 FROM platform_migrations WHERE version = ?",
    args: [VERSION],
  });
  return found.rows.length > 0;
}

/** Statements are parted by an empty line. Comments go: some servers take them for statements. */
export function statementsOf(sql: string): string[] {
  return sql
    .split(/\n\s*\n/)
    .map((part) => part.replace(/^--.*\n?/gm, "").trim())
    .filter((part) => part !== "");
}

/** Whether somebody else was in the way, or an answer was lost. */
function canPass(error: unknown): boolean {
  const code = String((error as { code?: unknown } | null)?.code ?? "");
  return /^SQLITE_(BUSY|LOCKED|SCHEMA)|^TRANSACTION_|^STREAM_EXPIRED$|^OUTCOME_UNKNOWN$|^CONNECTION_LOST$|^RETRIES_EXHAUSTED$/.test(
    code,
  );
}
