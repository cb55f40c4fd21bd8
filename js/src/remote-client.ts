// The client itself: every method becomes one HTTP request under the guard.
import type { Client, InArgs, InStatement, Replicated, ResultSet, Transaction, TransactionMode } from "./api.ts";
import type { OperationOptions } from "./config/options.ts";
import type { ClientConfig } from "./config.ts";
import type { Connections } from "./connections.ts";
import { LibsqlError } from "./errors.ts";
import { batchOutcome, executeResult, expectOk } from "./hrana/decode.ts";
import {
  type AnyStatement,
  type BatchShape,
  batchLayout,
  batchRequests,
  beginSql,
  encodeStatement,
  executeRequest,
  sequenceRequest,
  sqlOf,
} from "./hrana/encode.ts";
import { type Authorization, Pipeline, type RequestBuilder } from "./hrana/pipeline.ts";
import type { StreamResult } from "./hrana/proto.ts";
import { type AttemptContext, type Guard, type Operation, withOptions } from "./operation.ts";
import { kindOfAll, StreamTransaction } from "./transaction.ts";
import { openTransport } from "./transport/open.ts";
import type { Compression, Transport } from "./transport/transport.ts";

/** Settings about the wire that `@libsql/client` does not have. */
export interface WireOptions {
  /** Default: `"identity"` in Node, the runtime's own choice elsewhere. */
  compression?: Compression | undefined;
  /** Replaces `authToken` and the URL's token; asked again for every request. */
  authToken?: (() => string | Promise<string>) | undefined;
}

/** A client over HTTP. One object may serve any number of concurrent requests of a Worker. */
export class RemoteClient implements Client {
  readonly protocol = "http";
  readonly #config: ClientConfig;
  readonly #wire: WireOptions;
  readonly #openGuard: (connections: Connections) => Guard;
  #guard: Guard;
  #transport: Transport;
  #pipeline: Pipeline;
  #transactions = new Set<StreamTransaction>();
  #isClosed = false;

  /** `openGuard` is called now, and again by {@link RemoteClient.reconnect}. */
  constructor(config: ClientConfig, wire: WireOptions, openGuard: (connections: Connections) => Guard) {
    this.#config = config;
    this.#wire = wire;
    this.#openGuard = openGuard;
    this.#transport = openTransport(config.fetch, wire.compression);
    this.#pipeline = this.#openPipeline();
    this.#guard = openGuard(this.#connections());
  }

  get closed(): boolean {
    return this.#isClosed;
  }

  async execute(statement: InStatement, args?: InArgs): Promise<ResultSet> {
    const given: AnyStatement = typeof statement === "string" ? [statement, args] : statement;
    const encoded = encodeStatement(given);
    const { intMode } = this.#config;
    const own = typeof statement === "string" ? undefined : statement.seawall;
    const operation = { class: "query", kind: this.#open().kindOf(sqlOf(given)), name: "execute" } as const;
    return this.#guard.run(withOptions(operation, own), async (cx) =>
      executeResult(await this.#sendAlone(() => executeRequest(encoded), cx), intMode),
    );
  }

  async batch(
    statements: Array<InStatement | [string, InArgs?]>,
    mode: TransactionMode = "deferred",
    options?: OperationOptions,
  ): Promise<Array<ResultSet>> {
    const kind = mode === "read" ? "read" : kindOfAll(this.#open(), statements);
    const operation = withOptions({ class: "batch", kind, name: "batch" }, options);
    return this.#batch(operation, statements, { begin: mode, commit: true, migration: false });
  }

  async migrate(statements: Array<InStatement>, options?: OperationOptions): Promise<Array<ResultSet>> {
    const operation = withOptions({ class: "batch", kind: "write", name: "migrate" }, options);
    return this.#batch(operation, statements, { begin: "deferred", commit: true, migration: true });
  }

  async executeMultiple(sql: string, options?: OperationOptions): Promise<void> {
    const operation = withOptions({ class: "batch", kind: "write", name: "executeMultiple" }, options);
    return this.#open().run(operation, async (cx) => {
      expectOk(await this.#sendAlone(() => sequenceRequest(sql), cx), "sequence");
    });
  }

  async transaction(mode: TransactionMode = "write", options?: OperationOptions): Promise<Transaction> {
    beginSql(mode);
    const guard = this.#open();
    const kind = mode === "read" ? "read" : "write";
    const lease = await guard.lease(withOptions({ class: "transaction", kind, name: "transaction" }, options));
    if (this.#isClosed) {
      lease.release();
      throw clientClosed();
    }
    const transactions = this.#transactions;
    // Those of callers who left: nobody will end them, and their server has forgotten them.
    for (const known of transactions) if (known.vanished) transactions.delete(known);
    const transaction = new StreamTransaction(guard, lease, this.#pipeline, mode, this.#config.intMode, (ended) =>
      transactions.delete(ended),
    );
    transactions.add(transaction);
    return transaction;
  }

  /** @throws {@link LibsqlError} `SYNC_NOT_SUPPORTED`, at once and not as a rejection, as upstream does. */
  sync(): Promise<Replicated> {
    throw new LibsqlError("sync not supported in http mode", "SYNC_NOT_SUPPORTED");
  }

  /** Refuses new operations and closes open transactions; other operations in flight may end. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const transaction of this.#transactions) transaction.close();
    this.#transactions = new Set();
    this.#transport.close();
    this.#guard.drain().catch(() => {});
  }

  /** Closes, and opens again with fresh policies and connections. */
  async reconnect(): Promise<void> {
    this.close();
    this.#transport = openTransport(this.#config.fetch, this.#wire.compression);
    this.#pipeline = this.#openPipeline();
    this.#isClosed = false;
    this.#guard = this.#openGuard(this.#connections());
  }

  async #batch(
    operation: Operation,
    statements: readonly AnyStatement[],
    shape: BatchShape,
  ): Promise<Array<ResultSet>> {
    beginSql(shape.begin as TransactionMode);
    const encoded = statements.map(encodeStatement);
    const layout = batchLayout(encoded.length, shape);
    const { intMode } = this.#config;
    return this.#open().run(operation, async (cx) => {
      const result = await this.#sendAlone((version) => batchRequests(encoded, shape, version), cx);
      return batchOutcome(result, layout, intMode).take();
    });
  }

  /** Sends requests on a stream of their own, closed at the end; returns the first error, or the last result. */
  async #sendAlone(build: RequestBuilder, cx: AttemptContext): Promise<StreamResult> {
    const pipeline = this.#pipeline;
    const { results } = await pipeline.send(build, true, pipeline.addressOn(cx.connection), cx.signal);
    // The very last result is that of `close`.
    const own = results.length - 1;
    for (let i = 0; i < own - 1; i++) if (results[i]?.type === "error") return results[i] as StreamResult;
    return results[own - 1] as StreamResult;
  }

  #open(): Guard {
    if (this.#isClosed) throw clientClosed();
    return this.#guard;
  }

  /** A connection is set up by the smallest request that there is: it opens no stream and asks nothing of the database. */
  #connections(): Connections {
    const transport = this.#transport;
    const pipeline = this.#pipeline;
    const nothing = () => ({ requests: "", count: 0 });
    return {
      setUp: (connection, signal) => pipeline.send(nothing, true, pipeline.addressOn(connection), signal),
      check: async (connection) => (await transport.check?.(connection)) ?? true,
      retire: (connection) => transport.retire?.(connection),
    };
  }

  #openPipeline(): Pipeline {
    const { baseUrl, authorization, remoteEncryptionKey, intMode } = this.#config;
    const read = this.#wire.authToken;
    const authorize: Authorization = read === undefined ? () => authorization : async () => `Bearer ${await read()}`;
    return new Pipeline(baseUrl, this.#transport, authorize, remoteEncryptionKey, intMode);
  }
}

function clientClosed(): LibsqlError {
  return new LibsqlError("The client is closed", "CLIENT_CLOSED");
}
