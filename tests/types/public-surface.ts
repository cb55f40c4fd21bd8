// An application that uses every public type of the peer. It is compiled against each package and never run.
import {
  type Client,
  type Config,
  createClient,
  type InArgs,
  type InStatement,
  type IntMode,
  type InValue,
  LibsqlBatchError,
  LibsqlError,
  type Replicated,
  type ResultSet,
  type Row,
  type Transaction,
  type TransactionMode,
  type Value,
} from "client-under-contract";

export const smallest: Config = { url: "libsql://database.example" };

export const largest: Config = {
  url: "libsql://localhost:8080",
  authToken: "token",
  encryptionKey: "key",
  remoteEncryptionKey: "key",
  syncUrl: "libsql://database.example",
  syncInterval: 60,
  readYourWrites: true,
  offline: false,
  tls: false,
  intMode: "bigint",
  fetch: (request: Request) => fetch(request),
  concurrency: 20,
  timeout: 5_000,
};

export const explicitlyUnlimited: Config = { url: "http://localhost", concurrency: undefined };
export const frozen: Readonly<Config> = Object.freeze({ url: "http://localhost" });
export const intModes: IntMode[] = ["number", "bigint", "string"];
export const modes: TransactionMode[] = ["write", "read", "deferred"];

export const bindable: InValue[] = [
  null,
  "text",
  1,
  1n,
  true,
  new ArrayBuffer(1),
  new Uint8Array(1),
  Buffer.from("x"),
  new Date(),
];
export const positional: InArgs = bindable;
export const named: InArgs = { a: 1, ":b": "two", $c: null };
export const statements: InStatement[] = [
  "SELECT 1",
  { sql: "SELECT 1" },
  { sql: "SELECT ?", args: ["x"] },
  { sql: "SELECT :a", args: { a: 1 } },
];

export const client: Client = createClient(largest);
createClient(frozen);

export async function everyMethod(client: Client): Promise<void> {
  const results: ResultSet[] = [
    await client.execute("SELECT 1"),
    await client.execute("SELECT ?", [1]),
    await client.execute("SELECT :a", { a: 1 }),
    await client.execute({ sql: "SELECT ?", args: positional }),
    await client.execute({ sql: "SELECT :a", args: named }),
    ...(await client.batch(statements)),
    ...(await client.batch(statements, "write")),
    ...(await client.batch([
      "SELECT 1",
      { sql: "SELECT 1" },
      ["SELECT ?", [1]],
      ["SELECT :a", { a: 1 }],
      ["SELECT 1"],
    ])),
    ...(await client.migrate(statements)),
  ];
  for (const result of results) readResult(result);
  const script: Promise<void> = client.executeMultiple("SELECT 1; SELECT 2");
  await script;
  const replicated: Replicated = await client.sync();
  const frames: number | undefined = replicated?.frame_no ?? replicated?.frames_synced;
  client.reconnect();
  const protocol: string = client.protocol;
  const isClosed: boolean = client.closed;
  client.close();
  void [frames, protocol, isClosed];
}

export async function everyStepOf(client: Client): Promise<void> {
  const modeless: Transaction = await client.transaction();
  modeless.close();
  for (const mode of modes) {
    const transaction: Transaction = await client.transaction(mode);
    try {
      const one: ResultSet = await transaction.execute("SELECT 1");
      const two: ResultSet = await transaction.execute({ sql: "SELECT ?", args: [1] });
      const many: ResultSet[] = await transaction.batch(statements);
      await transaction.executeMultiple("SELECT 1; SELECT 2");
      const ended: Promise<void>[] = [transaction.commit(), transaction.rollback()];
      await Promise.all(ended);
      void [one, two, many];
    } catch {
      await transaction.rollback();
    } finally {
      const isClosed: boolean = transaction.closed;
      if (!isClosed) transaction.close();
    }
  }
}

export function readResult(result: ResultSet): void {
  const columns: string[] = result.columns;
  const types: string[] = result.columnTypes;
  const rows: Row[] = result.rows;
  const affected: number = result.rowsAffected;
  const id: bigint | undefined = result.lastInsertRowid;
  const json: { rows: unknown[] } = result.toJSON();
  for (const row of rows) readRow(row);
  void [columns, types, affected, id, json];
}

export function readRow(row: Row): string {
  const length: number = row.length;
  const first: Value | undefined = row[0];
  const dynamic: Value | undefined = row[["na", "me"].join("")];
  const byProperty: Value | undefined = row.name;
  const values: unknown[] = Array.from(row as ArrayLike<unknown>);
  const copy: Record<string, Value> = { ...row };
  void [length, dynamic, byProperty, values, copy];
  return first === undefined ? "nothing" : nameOf(first);
}

/** Compiles only if the kinds of a value are exactly these. */
export function nameOf(value: Value): string {
  if (value === null) return "null";
  if (typeof value === "string") return value;
  if (typeof value === "number") return value.toFixed();
  if (typeof value === "bigint") return value.toString();
  const bytes: ArrayBuffer = value;
  return `${bytes.byteLength} bytes`;
}

export function inspect(error: unknown): string {
  if (error instanceof LibsqlBatchError) {
    const index: number = error.statementIndex;
    const general: LibsqlError = error;
    return `${index}: ${general.code}`;
  }
  if (error instanceof LibsqlError) {
    const code: string = error.code;
    const extended: string | undefined = error.extendedCode;
    const raw: number | undefined = error.rawCode;
    const standard: Error = error;
    return [code, extended, raw, standard.message, error.cause].join();
  }
  return String(error);
}

export const errors: Error[] = [
  new LibsqlError("message", "CODE"),
  new LibsqlError("message", "CODE", "EXTENDED", 1, new Error("cause")),
  new LibsqlBatchError("message", 0, "CODE"),
  new LibsqlBatchError("message", 0, "CODE", "EXTENDED", 1, new Error("cause")),
];

export class OwnError extends LibsqlError {
  override name = "OwnError";
}

/** An application's own client, as tests write them, satisfies the interface. */
export class OwnClient implements Client {
  closed = false;
  protocol = "own";
  execute(stmt: InStatement): Promise<ResultSet>;
  execute(sql: string, args?: InArgs): Promise<ResultSet>;
  execute(_stmt: InStatement | string, _args?: InArgs): Promise<ResultSet> {
    return Promise.reject(new LibsqlError("not here", "OWN"));
  }
  batch(_stmts: Array<InStatement | [string, InArgs?]>, _mode?: TransactionMode): Promise<ResultSet[]> {
    return Promise.resolve([]);
  }
  migrate(_stmts: InStatement[]): Promise<ResultSet[]> {
    return Promise.resolve([]);
  }
  transaction(_mode?: TransactionMode): Promise<Transaction> {
    return Promise.reject(new LibsqlError("not here", "OWN"));
  }
  executeMultiple(_sql: string): Promise<void> {
    return Promise.resolve();
  }
  sync(): Promise<Replicated> {
    return Promise.resolve(undefined);
  }
  reconnect(): void {
    this.closed = false;
  }
  close(): void {
    this.closed = true;
  }
}

// What must not compile.
// @ts-expect-error: a URL is not a configuration
createClient("libsql://database.example");
// @ts-expect-error: the URL is required
createClient({ authToken: "token" });
// @ts-expect-error: an unknown intMode
createClient({ url: "http://localhost", intMode: "float" });
// @ts-expect-error: an unknown mode
client.transaction("exclusive");
// @ts-expect-error: an unknown mode
client.batch([], "exclusive");
// @ts-expect-error: undefined cannot be bound
client.execute({ sql: "SELECT ?", args: [undefined] });
// @ts-expect-error: an object cannot be bound
client.execute("SELECT ?", [{}]);
// @ts-expect-error: a statement is text or an object with text
client.execute(42);
// @ts-expect-error: a statement needs its text
client.batch([{ args: [] }]);
// @ts-expect-error: a code is required
new LibsqlError("message");
// @ts-expect-error: the index comes before the code
new LibsqlBatchError("message", "CODE", 0);
