// Encrypts connection strings anew when there is a newer key.
//
// A row takes its new envelope only where the old one still stands: whoever changed it meanwhile has used a key of their
// own, and is looked at again. What is left to do is in the rows themselves, so nothing is lost by breaking off.

import { Checks } from "./checks.ts";
import type { CryptoKeys } from "./crypto-keys.ts";
import { beginningOf, open, seal } from "./envelope.ts";
import { belongingOf, type RecordsClient, type RecordsStatement } from "./records.ts";

/** How much is done in one call. */
export interface RotateOptions {
  /** Rows of one transaction: 100 by default, 500 at most. */
  batch?: number;
  /** Rows of one call: 10,000 by default. */
  limit?: number;
}

/** What became of it. */
export interface Rotated {
  /** Rows that are under the newest key by this call. */
  readonly rotated: number;
  /** Rows that somebody else changed in the same moment. */
  readonly changed: number;
  /** Ids of rows that no key opens, at most 100 of them. They stay as they are. */
  readonly unreadable: readonly string[];
  /** Rows that are still under an older key, those included. */
  readonly remaining: number;
}

const BATCH = 100;
const BATCH_MAX = 500;
const LIMIT = 10_000;
const LIMIT_MAX = 10_000_000;
const UNREADABLE_MAX = 100;

const IS_OLD = "substr(connection, 1, length(?)) <> ?";
const FIND = `SELECT id, connection FROM platform_databases WHERE id > ? AND ${IS_OLD} ORDER BY id LIMIT ?`;
const COUNT = `SELECT count(*) AS count FROM platform_databases WHERE ${IS_OLD}`;
const REPLACE = "UPDATE platform_databases SET connection = ? WHERE id = ? AND connection = ?";

/** @throws What the database says; rows of the batches before stay done. */
export async function rotate(client: RecordsClient, keys: CryptoKeys, options: RotateOptions): Promise<Rotated> {
  const checks = new Checks("rotateKeys", options);
  checks.only(options, ["batch", "limit"]);
  const batch = checks.whole("batch", options.batch ?? BATCH, 1, BATCH_MAX);
  const limit = checks.whole("limit", options.limit ?? LIMIT, 1, LIMIT_MAX);
  checks.done();
  const beginning = beginningOf((await keys.newest()).id);
  const unreadable: string[] = [];
  let [rotated, changed, seen, after] = [0, 0, 0, ""];
  while (seen < limit) {
    const args = [after, beginning, beginning, Math.min(batch, limit - seen)];
    const found = Array.from((await client.execute({ sql: FIND, args })).rows as ArrayLike<Found>);
    if (found.length === 0) break;
    seen += found.length;
    after = String(found.at(-1)?.id);
    const updates: RecordsStatement[] = [];
    for (const { id, connection } of found) {
      const envelope = await resealed(keys, id, connection);
      if (envelope !== undefined) updates.push({ sql: REPLACE, args: [envelope, id, connection] });
      else if (unreadable.length < UNREADABLE_MAX) unreadable.push(id);
    }
    if (updates.length === 0) continue;
    const results = await client.batch(updates, "write");
    const done = results.filter(({ rowsAffected }) => rowsAffected === 1).length;
    rotated += done;
    changed += updates.length - done;
  }
  const counted = await client.execute({ sql: COUNT, args: [beginning, beginning] });
  const remaining = Number((counted.rows[0] as { count: unknown } | undefined)?.count ?? 0);
  return { rotated, changed, unreadable, remaining };
}

interface Found {
  readonly id: string;
  readonly connection: string;
}

async function resealed(keys: CryptoKeys, id: string, envelope: string): Promise<string | undefined> {
  let text: string;
  try {
    text = await open(keys, envelope, belongingOf(id));
  } catch {
    return undefined;
  }
  return seal(keys, text, belongingOf(id));
}
