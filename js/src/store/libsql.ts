// A table in a libSQL database.
//
// A database that fails cannot tell of it: the best place is another database than the one that is watched. Where it is
// the same one, its client must be a plain one, whose breaker does not refuse what would tell of the recovery. Our own
// client may be given too: every statement says that it bypasses the breaker, which others do not read.

import { demandMethods, timeoutOf, within } from "./checks.ts";
import type { Store } from "./store.ts";

/** One statement. `seawall` is read by our own client only. */
export interface LibsqlStatement {
  sql: string;
  args: (string | number)[];
  seawall: { useCircuitBreaker: false };
}

/** The part of a client that is used: of `@libsql/client`, or of ours. */
export interface LibsqlClient {
  execute(statement: LibsqlStatement): Promise<{ rows: ArrayLike<unknown>; rowsAffected: number }>;
}

/** What {@link libsqlStore} is made of. */
export interface LibsqlStoreOptions {
  /** Not the guarded client whose hints are stored. */
  client: LibsqlClient;
  /** Letters, digits and `_`; `seawall_hints` by default. Created when the first statement finds it missing. */
  table?: string;
  /** Milliseconds that a call may take; 2000 by default. */
  timeout?: number;
}

const TABLE = "seawall_hints";

/**
 * Makes a store of a table, which it creates when it is not there.
 *
 * @throws TypeError when the client is none, or the table's name cannot be used.
 */
export function libsqlStore(options: LibsqlStoreOptions): Store {
  const { client, table = TABLE } = options ?? {};
  demandMethods(client, ["execute"], "libsqlStore", '{ client }: one of "@libsql/client"');
  if (!/^[A-Za-z_]\w{0,62}$/.test(table)) {
    throw new TypeError("libsqlStore: table is up to 63 letters, digits and underscores, and begins with no digit.");
  }
  const timeout = timeoutOf(options.timeout, "libsqlStore");
  const rows = new Table(client, table);
  const limited = <T>(work: Promise<T>) => within(timeout, "libsql", work);
  return {
    name: "libsql",
    caps: { compareAndSet: true, writesPerSecond: undefined, ttl: "exact", list: true },
    get: (key) => limited(rows.find(key)),
    put: (key, text, ttlSeconds) => limited(rows.put(key, text, ttlSeconds)),
    compareAndSet: (key, expected, text, ttlSeconds) =>
      limited(expected === null ? rows.create(key, text, ttlSeconds) : rows.replace(key, expected, text, ttlSeconds)),
    list: (prefix) => limited(rows.keys(prefix)),
  };
}

class Table {
  readonly #client: LibsqlClient;
  readonly #name: string;
  #isThere = false;

  constructor(client: LibsqlClient, name: string) {
    this.#client = client;
    this.#name = name;
  }

  async find(key: string): Promise<string | null> {
    const { rows } = await this.#run(`SELECT text FROM ${this.#name} WHERE key = ? AND until_ms > ?`, [
      key,
      Date.now(),
    ]);
    return (rows[0] as { text: string } | undefined)?.text ?? null;
  }

  async put(key: string, text: string, ttlSeconds: number): Promise<void> {
    await this.#run(
      `INSERT INTO ${this.#name} (key, text, until_ms) VALUES (?, ?, ?)
      ON CONFLICT (key) DO UPDATE SET text = excluded.text, until_ms = excluded.until_ms`,
      [key, text, untilOf(ttlSeconds)],
    );
  }

  /** Puts `text` where nothing is, or only what has been forgotten. */
  async create(key: string, text: string, ttlSeconds: number): Promise<boolean> {
    const { rowsAffected } = await this.#run(
      `INSERT INTO ${this.#name} (key, text, until_ms) VALUES (?, ?, ?)
      ON CONFLICT (key) DO UPDATE SET text = excluded.text, until_ms = excluded.until_ms
      WHERE ${this.#name}.until_ms <= ?`,
      [key, text, untilOf(ttlSeconds), Date.now()],
    );
    return rowsAffected === 1;
  }

  async replace(key: string, expected: string, text: string, ttlSeconds: number): Promise<boolean> {
    const { rowsAffected } = await this.#run(
      `UPDATE ${this.#name} SET text = ?, until_ms = ? WHERE key = ? AND text = ? AND until_ms > ?`,
      [text, untilOf(ttlSeconds), key, expected, Date.now()],
    );
    return rowsAffected === 1;
  }

  async keys(prefix: string): Promise<string[]> {
    const { rows } = await this.#run(
      `SELECT key FROM ${this.#name} WHERE key >= ? AND substr(key, 1, length(?)) = ? AND until_ms > ? ORDER BY key`,
      [prefix, prefix, prefix, Date.now()],
    );
    return Array.from(rows as ArrayLike<{ key: string }>, ({ key }) => key);
  }

  /** Until a statement has succeeded, one that fails may lack the table: it is created, and the statement repeated. */
  async #run(sql: string, args: (string | number)[]): ReturnType<LibsqlClient["execute"]> {
    const statement = plain(sql, args);
    let result: Awaited<ReturnType<LibsqlClient["execute"]>>;
    try {
      result = await this.#client.execute(statement);
    } catch (error) {
      if (this.#isThere) throw error;
      await this.#client.execute(
        plain(
          `CREATE TABLE IF NOT EXISTS ${this.#name} (key TEXT PRIMARY KEY, text TEXT NOT NULL, until_ms INTEGER NOT NULL)`,
          [],
        ),
      );
      result = await this.#client.execute(statement);
    }
    this.#isThere = true;
    return result;
  }
}

function plain(sql: string, args: (string | number)[]): LibsqlStatement {
  return { sql, args, seawall: { useCircuitBreaker: false } };
}

function untilOf(ttlSeconds: number): number {
  return Math.ceil(Date.now() + ttlSeconds * 1_000);
}
