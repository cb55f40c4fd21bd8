// The public types, mutually assignable with those of `@libsql/client` 0.18.

import type { OperationOptions } from "./config/options.ts";

/** Settings of {@link createClient} that `@libsql/client` knows as well. */
export interface Config {
  /** `libsql:`, `https:` or `http:` URL of the database. */
  url: string;
  /** Bearer token; `?authToken=` in the URL wins over it. */
  authToken?: string;
  /** Refused with `ENCRYPTION_KEY_NOT_SUPPORTED`: it encrypts a local file. */
  encryptionKey?: string;
  /** Sent as `x-turso-encryption-key`: base64 of the key of a database that Turso Cloud encrypts. */
  remoteEncryptionKey?: string;
  /** Accepted and ignored, as upstream does over HTTP: there is no embedded replica. */
  syncUrl?: string;
  /** Accepted and ignored. */
  syncInterval?: number;
  /** Accepted and ignored. */
  readYourWrites?: boolean;
  /** Accepted and ignored. */
  offline?: boolean;
  /** For `libsql:` URLs: `false` speaks plain HTTP, and the URL must then name a port. Default `true`. */
  tls?: boolean;
  /** What an SQLite integer becomes. Default `"number"`. */
  intMode?: IntMode;
  /**
   * Sends the requests. It gets one `Request` and returns a promise of a `Response`.
   * Without it, Node uses `node:http` and everything else the global `fetch`.
   */
  // biome-ignore lint/complexity/noBannedTypes: upstream's type; a narrower one would not be assignable both ways.
  fetch?: Function;
  /** 1 to 5: the number of leases. Anything else, 0 included, leaves their number as it is: there is no other limit. */
  concurrency?: number | undefined;
  /** Accepted and ignored: the busy timeout of a local file. */
  timeout?: number;
}

/**
 * What an SQLite integer becomes: a `number` (a `RangeError` outside ±(2^53 - 1)), a `bigint`, or a decimal `string`.
 */
export type IntMode = "number" | "bigint" | "string";

/** A connection to one database. */
export interface Client {
  /** Runs one statement on a stream of its own. */
  execute(stmt: InStatement): Promise<ResultSet>;
  execute(sql: string, args?: InArgs): Promise<ResultSet>;
  /** Runs the statements in one transaction and one request: all of them take effect, or none. Default mode `"deferred"`. */
  batch(
    stmts: Array<InStatement | [string, InArgs?]>,
    mode?: TransactionMode,
    options?: OperationOptions,
  ): Promise<Array<ResultSet>>;
  /** Like a deferred {@link batch}, with foreign keys off while it runs. */
  migrate(stmts: Array<InStatement>, options?: OperationOptions): Promise<Array<ResultSet>>;
  /**
   * Opens an interactive transaction. It must be ended with `commit`, `rollback` or `close`.
   * The server ends one that is idle for about 10 s.
   */
  transaction(mode?: TransactionMode, options?: OperationOptions): Promise<Transaction>;
  /** @deprecated Name the mode; without one it is `"write"`. */
  transaction(): Promise<Transaction>;
  /** Runs a script of statements separated by semicolons, without a transaction around it. */
  executeMultiple(sql: string, options?: OperationOptions): Promise<void>;
  /** Throws `SYNC_NOT_SUPPORTED`: there is no local replica. */
  sync(): Promise<Replicated>;
  /** Refuses new operations; those in flight may end. */
  close(): void;
  /** Opens the client again after {@link close}. */
  reconnect(): void;
  /** True after {@link close}. */
  closed: boolean;
  /** `"http"`. */
  protocol: string;
}

/** An interactive transaction: one stream on the server, one request a step. */
export interface Transaction {
  /** Runs one statement. An error does not end the transaction. */
  execute(stmt: InStatement): Promise<ResultSet>;
  /** Runs the statements up to the first error. An error does not end the transaction. */
  batch(stmts: Array<InStatement>): Promise<Array<ResultSet>>;
  /** Runs a script of statements separated by semicolons up to the first error. */
  executeMultiple(sql: string): Promise<void>;
  /** Undoes everything and closes. Does nothing on a closed transaction. */
  rollback(): Promise<void>;
  /** Makes everything durable and closes. */
  commit(): Promise<void>;
  /** Closes without waiting; what was not committed is rolled back. */
  close(): void;
  /** True after `commit`, `rollback` or `close`, or once the stream is lost. */
  closed: boolean;
}

/** `"write"` is `BEGIN IMMEDIATE`, `"read"` is `BEGIN TRANSACTION READONLY`, `"deferred"` is `BEGIN DEFERRED`. */
export type TransactionMode = "write" | "read" | "deferred";

/** What a statement returned. */
export interface ResultSet {
  /** Column names, in order; not necessarily unique. */
  columns: Array<string>;
  /** Declared types of table columns; `""` for an expression. */
  columnTypes: Array<string>;
  rows: Array<Row>;
  /** Rows changed by `INSERT`, `UPDATE` or `DELETE`. */
  rowsAffected: number;
  /** Row id of the last inserted row, if the server gave one. */
  lastInsertRowid: bigint | undefined;
  /** Plain data: rows as arrays, bigints as decimal strings, blobs as base64. */
  // biome-ignore lint/suspicious/noExplicitAny: upstream's type.
  toJSON(): any;
  /** Set when there is something to say of where the result came from. Not enumerable, and not in `toJSON()`. */
  readonly seawall?: ResultNotes;
}

/** Where a result came from. */
export interface ResultNotes {
  /** A replica gave it that lacked, as far as is known, something that the reader had written before. */
  readonly stale?: boolean;
}

/** One row: values by column name (enumerable) and by index with `length` (not enumerable). */
export interface Row {
  length: number;
  [index: number]: Value;
  [name: string]: Value;
}

export type Replicated = { frame_no: number; frames_synced: number } | undefined;

/** A value that the database returned. A non-finite number arrives as `NaN`: the protocol does not say which. */
export type Value = null | string | number | bigint | ArrayBuffer;

/** A value that can be bound. Numbers are bound as REAL; use `bigint` for INTEGER. */
export type InValue = Value | boolean | Uint8Array | Date;

export type InStatement = { sql: string; args?: InArgs; seawall?: OperationOptions } | string;

/** Positional values, or values by name (with or without `:`, `@` or `$`). */
export type InArgs = Array<InValue> | Record<string, InValue>;
