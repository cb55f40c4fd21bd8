// A table in a libSQL database.
//
// A database that fails cannot tell of it: the best place is another database than the one that is watched. Where it is
// the same one, its client must be a plain one, whose breaker does not refuse what would tell of the recovery. Our own
// client may be given too: every statement says that it bypasses the breaker, which others do not read.

import { demandMethods, timeoutOf, within } from "./checks.ts";
import type { Store } from "./store.ts";
import { type Change, checkChanges, type StrongStore } from "./strong.ts";

type Value = string | number | null;

/** One statement. `seawall` is read by our own client only: past its breaker, and past what it has kept of earlier answers. */
export interface LibsqlStatement {
  sql: string;
  args: Value[];
  seawall: { useCircuitBreaker: false; cache: false };
}

/** The part of a client that is used: of `@libsql/client`, or of ours. */
export interface LibsqlClient {
  execute(statement: LibsqlStatement): Promise<{ rows: ArrayLike<unknown>; rowsAffected: number }>;
}

/** What a strong store uses besides. The third argument is read by our own client only. */
export interface LibsqlBatchClient extends LibsqlClient {
  batch(
    statements: LibsqlStatement[],
    mode: "write",
    options: { useCircuitBreaker: false },
  ): Promise<{ rowsAffected: number }[]>;
}

/** A strong store in a table, which others may read along: flags do, with queries that are sent anyway. */
export interface StrongLibsqlStore extends StrongStore {
  readonly table: string;
}

/** What {@link libsqlStore} is made of. */
export interface LibsqlStoreOptions<Client = LibsqlClient> {
  /** Not the guarded client whose hints are stored. */
  client: Client;
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
  const { client, name, timeout } = checked(options, ["execute"], TABLE, "libsqlStore");
  const rows = new HintTable(client, name);
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
export function strongLibsqlStore(options: LibsqlStoreOptions<LibsqlBatchClient>): StrongLibsqlStore {
  const { client, name, timeout } = checked(options, ["execute", "batch"], STRONG_TABLE, "strongLibsqlStore");
  const rows = new StrongTable(client, name);
  const limited = <T>(work: Promise<T>) => within(timeout, "libsql", work);
  return {
    name: "libsql",
    table: name,
    read: (key) => limited(rows.find(key)),
    async swap(changes) {
      checkChanges(changes);
      return limited(rows.swap(changes));
    },
    list: (prefix) => limited(rows.keys(prefix)),
  };
}

function checked<Client>(
  options: LibsqlStoreOptions<Client>,
  methods: string[],
  usual: string,
  caller: string,
): { client: Client; name: string; timeout: number } {
  const { client, table: name = usual } = options ?? {};
  demandMethods(client, methods, caller, '{ client }: one of "@libsql/client"');
  if (!/^[A-Za-z_]\w{0,62}$/.test(name)) {
    throw new TypeError(`${caller}: table is up to 63 letters, digits and underscores, and begins with no digit.`);
  }
  return { client, name, timeout: timeoutOf(options.timeout, caller) };
}

type Answer = Awaited<ReturnType<LibsqlClient["execute"]>>;

/** A table that is created when it is missing. */
class Table<Client extends LibsqlClient = LibsqlClient> {
  protected readonly name: string;
  protected readonly client: Client;
  readonly #columns: string;
  #isThere = false;

  constructor(client: Client, name: string, columns: string) {
    this.client = client;
    this.name = name;
    this.#columns = columns;
  }

  protected run(sql: string, args: Value[]): Promise<Answer> {
    return this.whenThere(() => this.client.execute(plain(sql, args)));
  }

  /** Until some work has succeeded, work that finds no table has it created, and is repeated. */
  protected async whenThere<T>(work: () => Promise<T>): Promise<T> {
    let result: T;
    try {
      result = await work();
    } catch (error) {
      // Only what certainly was not done may be done again.
      if (this.#isThere || !/no such table/i.test(String(error))) throw error;
      await this.client.execute(plain(`CREATE TABLE IF NOT EXISTS ${this.name} (${this.#columns})`, []));
      result = await work();
    }
    this.#isThere = true;
    return result;
  }
}

class HintTable extends Table {
  constructor(client: LibsqlClient, name: string) {
    super(client, name, "key TEXT PRIMARY KEY, text TEXT NOT NULL, until_ms INTEGER NOT NULL");
  }

  async find(key: string): Promise<string | null> {
    const { rows } = await this.run(`SELECT text FROM ${this.name} WHERE key = ? AND until_ms > ?`, [key, Date.now()]);
    return (rows[0] as { text: string } | undefined)?.text ?? null;
  }

  async put(key: string, text: string, ttlSeconds: number): Promise<void> {
    await this.#upsert("", [key, text, untilOf(ttlSeconds)]);
  }

  /** Puts `text` where nothing is, or only what has been forgotten. */
  async create(key: string, text: string, ttlSeconds: number): Promise<boolean> {
    const isForgotten = `WHERE ${this.name}.until_ms <= ?`;
    const { rowsAffected } = await this.#upsert(isForgotten, [key, text, untilOf(ttlSeconds), Date.now()]);
    return rowsAffected === 1;
  }

  async replace(key: string, expected: string, text: string, ttlSeconds: number): Promise<boolean> {
    const { rowsAffected } = await this.run(
      `UPDATE ${this.name} SET text = ?, until_ms = ? WHERE key = ? AND text = ? AND until_ms > ?`,
      [text, untilOf(ttlSeconds), key, expected, Date.now()],
    );
    return rowsAffected === 1;
  }

  async keys(prefix: string): Promise<string[]> {
    const { rows } = await this.run(`${keysOf(this.name)} AND until_ms > ? ORDER BY key`, [
      ...Array<string>(3).fill(prefix),
      Date.now(),
    ]);
    return Array.from(rows as ArrayLike<{ key: string }>, ({ key }) => key);
  }

  #upsert(condition: string, args: Value[]): Promise<Answer> {
    return this.run(
      `INSERT INTO ${this.name} (key, text, until_ms) VALUES (?, ?, ?)
      ON CONFLICT (key) DO UPDATE SET text = excluded.text, until_ms = excluded.until_ms ${condition}`,
      args,
    );
  }
}

/** What one statement does, and how many rows it then affects. */
interface Effect {
  sql: string;
  args: Value[];
  rows: number;
}

class StrongTable extends Table<LibsqlBatchClient> {
  constructor(client: LibsqlBatchClient, name: string) {
    super(client, name, "key TEXT PRIMARY KEY, text TEXT NOT NULL");
  }

  async find(key: string): Promise<string | null> {
    const { rows } = await this.run(`SELECT text FROM ${this.name} WHERE key = ?`, [key]);
    return (rows[0] as { text: string } | undefined)?.text ?? null;
  }

  async keys(prefix: string): Promise<string[]> {
    const { rows } = await this.run(keysOf(this.name), Array<string>(3).fill(prefix));
    return Array.from(rows as ArrayLike<{ key: string }>, ({ key }) => key).sort();
  }

  /**
   * One request. Removing and putting are a statement each; where a swap does both they are one transaction, in which the
   * second asks how many rows the first has changed: by then nothing is as it was expected any more.
   */
  async swap(changes: readonly Change[]): Promise<boolean> {
    const expected = changes.flatMap(({ key, expected }) => [key, expected]);
    // SQLite evaluates it once for each statement, before anything is written.
    const holds = `NOT EXISTS (SELECT 1 FROM (VALUES ${listOf("(?, ?)", changes.length)}) AS asked
      LEFT JOIN ${this.name} AS found ON found.key = asked.column1 WHERE found.text IS NOT asked.column2)`;
    const removed = changes.flatMap(({ key, expected, text }) => (text === null && expected !== null ? [key] : []));
    const put = changes.flatMap(({ key, text }) => (text === null ? [] : [key, text]));
    const remove = (): Effect => ({
      sql: `DELETE FROM ${this.name} WHERE key IN (${listOf("?", removed.length)}) AND ${holds}`,
      args: [...removed, ...expected],
      rows: removed.length,
    });
    const puts = (condition: string, args: Value[]): Effect => ({
      sql: `INSERT INTO ${this.name} (key, text)
        SELECT column1, column2 FROM (VALUES ${listOf("(?, ?)", put.length / 2)}) WHERE ${condition}
        ON CONFLICT (key) DO UPDATE SET text = excluded.text`,
      args: [...put, ...args],
      rows: put.length / 2,
    });
    if (removed.length > 0 && put.length > 0) {
      return this.#isDone([remove(), puts("changes() = ?", [removed.length])]);
    }
    if (removed.length > 0) return this.#isDone([remove()]);
    if (put.length > 0) return this.#isDone([puts(holds, expected)]);
    const { rows } = await this.run(`SELECT 1 AS one WHERE ${holds}`, expected);
    return rows.length === 1;
  }

  /** Whether the first effect came about; the others follow it. */
  async #isDone(effects: [Effect, ...Effect[]]): Promise<boolean> {
    const statements = effects.map(({ sql, args }) => plain(sql, args));
    const [first] = await this.whenThere(() =>
      effects.length === 1
        ? Promise.all(statements.map((statement) => this.client.execute(statement)))
        : this.client.batch(statements, "write", { useCircuitBreaker: false }),
    );
    return first?.rowsAffected === effects[0].rows;
  }
}

/** A statement for the keys that begin with its three arguments, which are the same. */
function keysOf(table: string): string {
  return `SELECT key FROM ${table} WHERE key >= ? AND substr(key, 1, length(?)) = ?`;
}

function listOf(item: string, count: number): string {
  return Array<string>(count).fill(item).join(", ");
}

function plain(sql: string, args: Value[]): LibsqlStatement {
  return { sql, args, seawall: { useCircuitBreaker: false, cache: false } };
}

function untilOf(ttlSeconds: number): number {
  return Math.ceil(Date.now() + ttlSeconds * 1_000);
}
