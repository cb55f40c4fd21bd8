// Interactive transactions: one lease, one stream, one HTTP request a step.
import type { Access } from "./access.ts";
import type { InStatement, IntMode, ResultSet, Transaction, TransactionMode } from "./api.ts";
import { writtenDespite } from "./cache/endings.ts";
import { Written } from "./cache/handle.ts";
import type { TransactionWrites } from "./cache/query-cache.ts";
import { marked } from "./consistency/stale.ts";
import { LibsqlError, makeError } from "./errors.ts";
import { batchOutcome, executeResult, expectOk } from "./hrana/decode.ts";
import {
  type AnyStatement,
  batchLayout,
  batchRequests,
  beginSql,
  encodeStatement,
  executeSqlRequest,
  sequenceRequest,
  sqlOf,
} from "./hrana/encode.ts";
import type { Pipeline, RequestBuilder } from "./hrana/pipeline.ts";
import { type Opening, Stream } from "./hrana/stream.ts";
import type { AttemptContext, Guard, Lease, StatementKind } from "./operation.ts";
import { noRows, rowsOfAll, timed } from "./slow-queries.ts";

export class StreamTransaction implements Transaction {
  readonly #guard: Guard;
  readonly #lease: Lease;
  readonly #stream: Stream;
  readonly #mode: TransactionMode;
  readonly #intMode: IntMode;
  readonly #onEnd: (transaction: StreamTransaction) => void;
  readonly #access: Access;
  /** Told of what it writes, where results of reads are kept. */
  readonly #writes: TransactionWrites | undefined;
  #written: Written = Written.Something;
  #hasWritten = false;
  /** Settles with BEGIN, well or not; `undefined` until there is one. */
  #begun: Promise<void> | undefined;
  #hasBegun = false;
  #beginError: unknown;
  #scriptsWaiting = 0;
  #isClosed = false;

  constructor(
    guard: Guard,
    lease: Lease,
    pipeline: Pipeline,
    mode: TransactionMode,
    intMode: IntMode,
    access: Access,
    onEnd: (transaction: StreamTransaction) => void,
    writes?: TransactionWrites,
  ) {
    beginSql(mode);
    this.#writes = writes;
    this.#guard = guard;
    this.#lease = lease;
    this.#access = access;
    // A transaction that takes the write lock must not be opened twice: the second would wait for the first.
    const isRepeatable = mode !== "write";
    const opening: Opening = (isRead, cx, post) =>
      access.send(isRead ? "read" : "opening", isRead && isRepeatable, cx, post);
    this.#stream = new Stream(pipeline, lease.connection, opening, () => this.#end());
    this.#mode = mode;
    this.#intMode = intMode;
    this.#onEnd = onEnd;
  }

  get closed(): boolean {
    return this.#isClosed;
  }

  /** Whether the request that opened it is gone and will never end it. */
  get vanished(): boolean {
    return this.#lease.vanished;
  }

  /** Asks what statements would cost, where that is limited; nothing when it is known. */
  check: ((statements: readonly AnyStatement[]) => Promise<void> | undefined) | undefined;
  #asking: Promise<void> | undefined;

  async execute(statement: InStatement): Promise<ResultSet> {
    return (await this.batch([statement]))[0] as ResultSet;
  }

  async batch(statements: Array<InStatement>): Promise<Array<ResultSet>> {
    this.#checkOpen("execute statements");
    if (this.check !== undefined) await this.#checkCost(this.check(statements));
    if (this.#scriptsWaiting > 0) {
      await this.#begun;
      this.#checkOpen("execute statements");
    }
    const encoded = statements.map((statement) => encodeStatement(statement as AnyStatement));
    const begins = this.#begun === undefined;
    if (!begins && encoded.length === 0) return [];
    const shape = { begin: begins ? this.#mode : undefined, commit: false, migration: false };
    const layout = batchLayout(encoded.length, shape);
    const kind = kindOfAll(this.#guard, statements);
    const isRead = kind === "read";
    if (!isRead) {
      this.#hasWritten = true;
      this.#writes?.begin((statements as readonly AnyStatement[]).map(sqlOf));
    }
    const attempt = async (cx: AttemptContext) => {
      const build: RequestBuilder = (version, index) => batchRequests(encoded, shape, version, index);
      const result = await this.#stream.send(build, cx, { isRead });
      const outcome = batchOutcome(result, layout, this.#intMode);
      if (begins && outcome.beginError === undefined) this.#hasBegun = true;
      return marked(outcome.take(), this.#stream.isStale);
    };
    const outcome = this.#run(kind, true, timed(this.#guard.slow, statements, rowsOfAll, attempt), statements);
    if (begins) this.#begin(outcome);
    return outcome;
  }

  async executeMultiple(sql: string): Promise<void> {
    this.#checkOpen("execute statements");
    if (this.#asking !== undefined) await this.#asking;
    if (this.#begun === undefined) {
      const begin = this.#run(
        "unknown",
        true,
        async (cx) => {
          const build: RequestBuilder = (_, index) => executeSqlRequest(beginSql(this.#mode), index);
          executeResult(await this.#stream.send(build, cx, { isRead: true }), this.#intMode);
          this.#hasBegun = true;
        },
        [beginSql(this.#mode)],
      );
      this.#begin(begin);
    }
    if (!this.#hasBegun) {
      // A script cannot be made to depend on BEGIN, so it waits for it, and nothing may overtake it meanwhile.
      this.#scriptsWaiting++;
      await this.#begun;
      this.#scriptsWaiting--;
      if (this.#beginError !== undefined) throw this.#beginError;
      this.#checkOpen("execute statements");
    }
    this.#hasWritten = true;
    this.#writes?.begin(undefined);
    const attempt = async (cx: AttemptContext) => {
      expectOk(await this.#stream.send(() => sequenceRequest(sql), cx), "sequence");
    };
    await this.#run("write", true, timed(this.#guard.slow, [sql], noRows, attempt), [sql]);
  }

  async commit(): Promise<void> {
    this.#checkOpen("commit the transaction", " already");
    if (this.#asking !== undefined) await this.#asking;
    try {
      if (this.#begun === undefined) return;
      await this.#begun;
      this.#checkOpen("commit the transaction", " already");
      await this.#finish("COMMIT");
    } finally {
      this.close();
    }
  }

  async rollback(): Promise<void> {
    if (this.#isClosed) return;
    try {
      if (this.#begun !== undefined) await this.#finish("ROLLBACK");
    } catch (error) {
      // It is rolled back already, which is what was asked for.
      const code = error instanceof LibsqlError ? error.code : undefined;
      if (code !== "STREAM_EXPIRED" && code !== "LEASE_LAPSED") throw error;
    } finally {
      this.close();
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#abandon(new LibsqlError("The transaction was closed", "TRANSACTION_CLOSED"));
  }

  /** In the order of the calls: a statement that need not be asked about does not overtake one that must. */
  async #checkCost(asked: Promise<void> | undefined): Promise<void> {
    const before = this.#asking;
    if (asked === undefined && before === undefined) return;
    const own = before === undefined ? asked : before.then(() => asked);
    const after = (own as Promise<void>).catch(() => {});
    this.#asking = after;
    try {
      await own;
    } finally {
      if (this.#asking === after) this.#asking = undefined;
    }
    this.#checkOpen("execute statements");
  }

  /** Runs the last statement and closes the stream in the same HTTP request. */
  #finish(sql: "COMMIT" | "ROLLBACK"): Promise<void> {
    const finished = this.#run(
      "write",
      sql === "ROLLBACK",
      async (cx) => {
        const result = await this.#stream.send(() => executeSqlRequest(sql), cx, { closes: true });
        executeResult(result, this.#intMode);
        if (sql === "COMMIT" && this.#hasWritten) this.#access.wrote(result);
      },
      [sql],
    );
    this.#isClosed = true;
    return finished
      .catch((error) => {
        if (sql === "COMMIT") this.#written = writtenDespite(error, false);
        throw error;
      })
      .finally(() => this.#end());
  }

  /** `isUndoable`: a lost answer means a lost stream, which rolls back; only of a COMMIT it leaves open what happened. */
  #run<T>(
    kind: StatementKind,
    isUndoable: boolean,
    attempt: (cx: AttemptContext) => Promise<T>,
    statements?: readonly AnyStatement[],
  ): Promise<T> {
    if (this.#lease.lapsed) {
      const error = makeError(
        "LEASE_LAPSED",
        "The transaction held its lease for too long and was rolled back. Keep transactions short, or use batch()",
        { origin: "policy", retry: "if_repeatable", outcome: "not_executed" },
      );
      this.#abandon(error);
      return Promise.reject(error);
    }
    const timeoutMs = this.#lease.leftMs;
    return this.#guard.run(
      {
        class: "transaction",
        kind,
        held: true,
        undoable: isUndoable,
        timeoutMs,
        name: "transaction",
        connection: this.#lease.connection,
        statements,
      },
      attempt,
    );
  }

  /** Notes how BEGIN ended. Without it the transaction is of no use, whoever refused it: nothing may run outside one. */
  #begin(begin: Promise<unknown>): void {
    this.#begun = begin.then(
      () => {},
      (error) => {
        if (this.#hasBegun) return;
        this.#beginError = error;
        if (!this.#isClosed) this.#abandon(error);
      },
    );
  }

  #abandon(reason: LibsqlError): void {
    this.#isClosed = true;
    this.#stream.close(reason);
    this.#end();
  }

  #end(): void {
    this.#isClosed = true;
    this.#writes?.end(this.#written);
    this.#lease.release();
    this.#onEnd(this);
  }

  #checkOpen(purpose: string, already = ""): void {
    if (!this.#isClosed) return;
    const { death } = this.#stream;
    const isLost = death instanceof LibsqlError && death.code !== "TRANSACTION_CLOSED";
    const cause = isLost ? `: it ended with ${death.code}` : "";
    throw new LibsqlError(
      `Cannot ${purpose} because ${purpose.startsWith("commit") ? "it" : "the transaction"} is${already} closed${cause}`,
      "TRANSACTION_CLOSED",
      undefined,
      undefined,
      isLost ? death : undefined,
    );
  }
}

/** What a group of statements does: reads if all do, writes if one does. */
export function kindOfAll(guard: Guard, statements: readonly AnyStatement[]): StatementKind {
  let kind: StatementKind = "read";
  for (const statement of statements) {
    const own = guard.kindOf(sqlOf(statement));
    if (own === "write") return "write";
    if (own === "unknown") kind = "unknown";
  }
  return kind;
}
