// A table in a libSQL database.
//
// A database that fails cannot tell of it: the best place is another database than the one that is watched. Where it is
// the same one, its client must be a plain one, whose breaker does not refuse what would tell of the recovery. Our own
// client may be given too: every statement says that it bypasses the breaker, which others do not read.

import { demandMethods, timeoutOf, within } from "./checks.ts";
import type { Store } from "./store.ts";
import type { StrongStore } from "./strong.ts";

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
  /** Letters, digits and `_`; `seawall_hints` by default, `seawall_strong` for the strong store. Created when the first statement finds it missing. */
  table?: string;
  /** Milliseconds that a call may take; 2000 by default. */
  timeout?: number;
}

const TABLE = "seawall_hints";
const STRONG_TABLE = "seawall_strong";

/**
 * Makes a store of a table, which it creates when it is not there.
 *
 * @throws TypeError when the client is none, or the table's name cannot be used.
 */
export function libsqlStore(options: LibsqlStoreOptions): Store {
  const { table, timeout } = checked(options, TABLE, "libsqlStore");
  const rows = new HintTable(table);
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

/**
 * Makes a strong store of a table, which it creates when it is not there. The client must reach the primary: a replica
 * reads what was there before.
 *
 * @throws TypeError when the client is none, or the table's name cannot be used.
 */
export function strongLibsqlStore(options: LibsqlStoreOptions): StrongStore {
  const { table, timeout } = checked(options, STRONG_TABLE, "strongLibsqlStore");
  const rows = new StrongTable(table);
  const limited = <T>(work: Promise<T>) => within(timeout, "libsql", work);
  return {
    name: "libsql",
    read: (key) => limited(rows.find(key)),
    swap: (key, expected, text) => limited(rows.swap(key, expected, text)),
    list: (prefix) => limited(rows.keys(prefix)),
  };
}

function checked(options: LibsqlStoreOptions, name: string, caller: string): { table: Table; timeout: number } {
  const { client, table = name } = options ?? {};
  demandMethods(client, ["execute"], caller, '{ client }: one of "@libsql/client"');
  if (!/^[A-Za-z_]\w{0,62}$/.test(table)) {
    throw new TypeError(`${caller}: table is up to 63 letters, digits and underscores, and begins with no digit.`);
  }
  return { table: new Table(client, table), timeout: timeoutOf(options.timeout, caller) };
}

type Answer = Awaited<ReturnType<LibsqlClient["execute"]>>;

/** A table that is created when it is missing. */
class Table {
  readonly name: string;
  readonly #client: LibsqlClient;
  #isThere = false;

  constructor(client: LibsqlClient, name: string) {
    this.#client = client;
    this.name = name;
  }

  /** Until a statement has succeeded, one that finds no table has it created, and is repeated. */
  async run(columns: string, sql: string, args: (string | number)[]): Promise<Answer> {
    const statement = plain(sql, args);
    let result: Answer;
    try {
      result = await this.#client.execute(statement);
    } catch (error) {
      // Only what certainly was not done may be done again.
      if (this.#isThere || !/no such table/i.test(String(error))) throw error;
      await this.#client.execute(plain(`CREATE TABLE IF NOT EXISTS ${this.name} (${columns})`, []));
      result = await this.#client.execute(statement);
    }
    this.#isThere = true;
    return result;
  }
}

class HintTable {
  readonly #table: Table;
  readonly #name: string;

  constructor(table: Table) {
    this.#table = table;
    this.#name = table.name;
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

  #run(sql: string, args: (string | number)[]): Promise<Answer> {
    return this.#table.run("key TEXT PRIMARY KEY, text TEXT NOT NULL, until_ms INTEGER NOT NULL", sql, args);
  }
}

class StrongTable {
  readonly #table: Table;
  readonly #name: string;

  constructor(table: Table) {
    this.#table = table;
    this.#name = table.name;
  }

  async find(key: string): Promise<string | null> {
    const { rows } = await this.#run(`SELECT text FROM ${this.#name} WHERE key = ?`, [key]);
    return (rows[0] as { text: string } | undefined)?.text ?? null;
  }

  async swap(key: string, expected: string | null, text: string | null): Promise<boolean> {
    if (expected === null && text === null) return (await this.find(key)) === null;
    const { rowsAffected } = await this.#change(key, expected, text);
    return rowsAffected === 1;
  }

  async keys(prefix: string): Promise<string[]> {
    const { rows } = await this.#run(`SELECT key FROM ${this.#name} WHERE key >= ? AND substr(key, 1, length(?)) = ?`, [
      prefix,
      prefix,
      prefix,
    ]);
    return Array.from(rows as ArrayLike<{ key: string }>, ({ key }) => key).sort();
  }

  /** One statement each, so that a crash leaves the one or the other. */
  #change(key: string, expected: string | null, text: string | null): Promise<Answer> {
    if (expected === null) {
      return this.#run(`INSERT INTO ${this.#name} (key, text) VALUES (?, ?) ON CONFLICT (key) DO NOTHING`, [
        key,
        text ?? "",
      ]);
    }
    if (text === null) return this.#run(`DELETE FROM ${this.#name} WHERE key = ? AND text = ?`, [key, expected]);
    return this.#run(`UPDATE ${this.#name} SET text = ? WHERE key = ? AND text = ?`, [text, key, expected]);
  }

  #run(sql: string, args: (string | number)[]): Promise<Answer> {
    return this.#table.run("key TEXT PRIMARY KEY, text TEXT NOT NULL", sql, args);
  }
}

function plain(sql: string, args: (string | number)[]): LibsqlStatement {
  return { sql, args, seawall: { useCircuitBreaker: false } };
}

function untilOf(ttlSeconds: number): number {
  return Math.ceil(Date.now() + ttlSeconds * 1_000);
}
