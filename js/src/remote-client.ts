// The client itself: every method becomes one HTTP request under the guard.
import { Access } from "./access.ts";
import type { Client, InArgs, InStatement, Replicated, ResultSet, Transaction, TransactionMode } from "./api.ts";
import type { Loading, QueryCache } from "./cache/query-cache.ts";
import type { RoutedContext, RoutedLease } from "./cluster/cluster.ts";
import type { OperationOptions } from "./config/options.ts";
import type { ClientConfig } from "./config.ts";
import { type Consistency, EndpointIndex, indexOfResult, type Post } from "./consistency/consistency.ts";
import type { Floor } from "./consistency/log-index.ts";
import { marked } from "./consistency/stale.ts";
import { Credentials } from "./credentials.ts";
import { LibsqlError } from "./errors.ts";
import { batchOutcome, executeResult, expectOk } from "./hrana/decode.ts";
import {
  type AnyStatement,
  type BatchShape,
  batchLayout,
  batchRequests,
  beginSql,
  type EncodedRequests,
  encodeStatement,
  executeRequest,
  primaryIndexRequest,
  sequenceRequest,
  sqlOf,
} from "./hrana/encode.ts";
import type { Piggyback } from "./hrana/piggyback.ts";
import { Pipeline, type RequestBuilder } from "./hrana/pipeline.ts";
import type { PipelineResponse, StreamResult } from "./hrana/proto.ts";
import type { Connections } from "./operation.ts";
import {
  type AttemptContext,
  type Guard,
  HEALTH_CHECK,
  type Operation,
  type StatementKind,
  withOptions,
} from "./operation.ts";
import { noRows, rowsOfAll, rowsOfOne, timed } from "./slow-queries.ts";
import type { Ask, QueryCost } from "./tenants/query-cost.ts";
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

/** The query cache for an operation with these options, if there is any. */
export type CacheFor = (options: OperationOptions | undefined) => QueryCache | undefined;

/** A client over HTTP. One object may serve any number of concurrent requests of a Worker. */
export class RemoteClient implements Client {
  readonly protocol = "http";
  readonly #config: ClientConfig;
  readonly #wire: WireOptions;
  readonly #credentials: Credentials;
  readonly #openGuard: (connections: Connections) => Guard;
  readonly #cacheFor: CacheFor | undefined;
  #guard: Guard;
  #transport: Transport;
  #pipeline: Pipeline;
  readonly #consistency: Consistency;
  readonly #endpoint = new EndpointIndex();
  #latest: Access | undefined;
  #transactions = new Set<StreamTransaction>();
  readonly #cost: QueryCost | undefined;
  readonly #piggyback: Piggyback | undefined;
  #isClosed = false;

  /**
   * `openGuard` is called now, and again by {@link RemoteClient.reconnect}. Without `cacheFor`, nothing is ever kept; what
   * it returns may change with the first operation that asks for a cache.
   */
  constructor(
    config: ClientConfig,
    wire: WireOptions,
    consistency: Consistency,
    openGuard: (connections: Connections) => Guard,
    cacheFor?: CacheFor,
    cost?: QueryCost,
    piggyback?: Piggyback,
  ) {
    this.#piggyback = piggyback;
    this.#cacheFor = cacheFor;
    this.#cost = cost;
    this.#consistency = consistency;
    this.#config = config;
    this.#wire = wire;
    this.#credentials = new Credentials(config.authorization, wire.authToken);
    this.#openGuard = openGuard;
    this.#transport = openTransport(config.fetch, wire.compression);
    this.#pipeline = this.#openPipeline();
    this.#guard = openGuard(this.#connections());
  }

  get closed(): boolean {
    return this.#isClosed;
  }

  /** Goes on under another guard. What runs ends under the one that it began under. */
  guardBy(guard: Guard): void {
    this.#guard = guard;
  }

  /** Shows another token from now on. @throws TypeError when it cannot be used. */
  rotateAuthToken(token: string): void {
    this.#credentials.rotate(token);
  }

  execute(statement: InStatement, args?: InArgs): Promise<ResultSet> {
    return this.executeOn(this.#consistency.floor, statement, args);
  }

  batch(
    statements: Array<InStatement | [string, InArgs?]>,
    mode?: TransactionMode,
    options?: OperationOptions,
  ): Promise<Array<ResultSet>> {
    return this.batchOn(this.#consistency.floor, statements, mode, options);
  }

  migrate(statements: Array<InStatement>, options?: OperationOptions): Promise<Array<ResultSet>> {
    return this.migrateOn(this.#consistency.floor, statements, options);
  }

  executeMultiple(sql: string, options?: OperationOptions): Promise<void> {
    return this.executeMultipleOn(this.#consistency.floor, sql, options);
  }

  transaction(mode?: TransactionMode, options?: OperationOptions): Promise<Transaction> {
    return this.transactionOn(this.#consistency.floor, mode, options);
  }

  async executeOn(floor: Floor, statement: InStatement, args?: InArgs): Promise<ResultSet> {
    const given: AnyStatement = typeof statement === "string" ? [statement, args] : statement;
    if (this.#cost !== undefined) await this.#checkCost([given]);
    const own = typeof statement === "string" ? undefined : statement.seawall;
    const cache = this.#cacheFor?.(own);
    if (cache !== undefined) return this.#executeCached(cache, floor, given, own);
    return this.#execute(floor, given, own, undefined).load();
  }

  /** From memory, if that may be. A write makes what was read before old. */
  #executeCached(
    cache: QueryCache,
    floor: Floor,
    given: AnyStatement,
    own: OperationOptions | undefined,
  ): ResultSet | Promise<ResultSet> {
    const kept = own?.cache;
    const sql = sqlOf(given);
    const prepare = () => this.#execute(floor, given, own, sql);
    if (kept !== false && (cache.isOn || kept !== undefined) && own?.signal?.aborted !== true) {
      this.#open();
      const args = Array.isArray(given) ? given[1] : (given as { args?: InArgs }).args;
      const base = this.#consistency.floorOf(own?.consistencyToken, floor);
      // Own writes have dropped what they made old; a token asks for those of other isolates.
      return cache.read(sql, args, kept, base === this.#consistency.floor ? "" : base.index, prepare);
    }
    const loading = prepare();
    if (loading.operation.kind === "read") return loading.load();
    return cache.write([sql], loading.operation, loading.load);
  }

  /** How one statement is sent. */
  #execute(floor: Floor, given: AnyStatement, own: OperationOptions | undefined, sql = sqlOf(given)): Loading {
    const encoded = encodeStatement(given);
    const { intMode } = this.#config;
    const kind = this.#open().kindOf(sql);
    const access = this.#access(floor, own);
    const statements = [given];
    const operation = withOptions({ class: "query", kind, name: "execute", floor: access, statements }, own);
    const attempt = async (cx: AttemptContext) => {
      const body = await this.#sendAlone(access, kind, true, (_, index) => executeRequest(encoded, index), cx);
      const result = resultOf(body);
      loading.index = indexOfResult(result);
      return marked(executeResult(result, intMode), body.isStale);
    };
    const noted = timed(this.#guard.slow, statements, rowsOfOne, attempt);
    const loading: Loading = { operation, index: "", load: (as = operation) => this.#guard.run(as, noted) };
    return loading;
  }

  async batchOn(
    floor: Floor,
    statements: Array<InStatement | [string, InArgs?]>,
    mode: TransactionMode = "deferred",
    options?: OperationOptions,
  ): Promise<Array<ResultSet>> {
    const kind = mode === "read" ? "read" : kindOfAll(this.#open(), statements);
    if (this.#cost !== undefined) await this.#checkCost(statements);
    const access = this.#access(floor, options);
    const operation = withOptions({ class: "batch", kind, name: "batch", floor: access, statements }, options);
    const run = () => this.#batch(access, operation, statements, { begin: mode, commit: true, migration: false });
    const cache = kind === "read" ? undefined : this.#cacheFor?.(undefined);
    return cache === undefined ? run() : cache.write(statements.map(sqlOf), operation, run);
  }

  async migrateOn(floor: Floor, statements: Array<InStatement>, options?: OperationOptions): Promise<Array<ResultSet>> {
    const operation = withOptions({ class: "batch", kind: "write", name: "migrate", statements }, options);
    const access = this.#access(floor, options);
    const run = () => this.#batch(access, operation, statements, { begin: "deferred", commit: true, migration: true });
    const cache = this.#cacheFor?.(undefined);
    return cache === undefined ? run() : cache.write(undefined, operation, run);
  }

  async executeMultipleOn(floor: Floor, sql: string, options?: OperationOptions): Promise<void> {
    const statements = [sql];
    const operation = withOptions({ class: "batch", kind: "write", name: "executeMultiple", statements }, options);
    const access = this.#access(floor, options);
    const attempt = async (cx: AttemptContext) => {
      const asks = access.asksAfterScripts;
      const build = () => (asks ? joined(sequenceRequest(sql), primaryIndexRequest()) : sequenceRequest(sql));
      const { results } = await this.#sendAlone(access, "write", false, build, cx);
      expectOk(results[0] as StreamResult, "sequence");
    };
    const guard = this.#open();
    const run = () => guard.run(operation, timed(guard.slow, statements, noRows, attempt));
    const cache = this.#cacheFor?.(undefined);
    return cache === undefined ? run() : cache.write(undefined, operation, run);
  }

  async transactionOn(floor: Floor, mode: TransactionMode = "write", options?: OperationOptions): Promise<Transaction> {
    beginSql(mode);
    const guard = this.#open();
    const access = this.#access(floor, options);
    const kind = mode === "read" ? "read" : "write";
    const lease = await guard.lease(
      withOptions({ class: "transaction", kind, name: "transaction", floor: access }, options),
    );
    if (this.#isClosed) {
      lease.release();
      throw clientClosed();
    }
    const transactions = this.#transactions;
    // Those of callers who left: nobody will end them, and their server has forgotten them.
    for (const known of transactions) if (known.vanished) transactions.delete(known);
    const onEnd = (ended: StreamTransaction) => transactions.delete(ended);
    const { intMode } = this.#config;
    // A cluster says at which of its databases the transaction stays.
    const { guard: own = guard, endpoint } = lease as Partial<RoutedLease>;
    const there = endpoint?.pipeline ?? this.#pipeline;
    const writes = mode === "read" ? undefined : this.#cacheFor?.(undefined)?.transaction();
    const transaction = new StreamTransaction(own, lease, there, mode, intMode, access.at(endpoint), onEnd, writes);
    if (this.#cost !== undefined) transaction.check = (statements) => this.#checkCost(statements);
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

  /**
   * Asks one of the databases whether it is there; the client's own if it has no others.
   *
   * @throws What stood in the way.
   */
  async ping(endpoint: string): Promise<void> {
    const guard = this.#open();
    const access = this.#access(this.#consistency.floor, undefined);
    const request = executeRequest(encodeStatement("SELECT 1"));
    await guard.run({ ...HEALTH_CHECK, route: { endpoint, failover: false } }, async (cx) =>
      expectOk(resultOf(await this.#sendAlone(access, "unknown", true, () => request, cx)), "execute"),
    );
  }

  /** Closes, and opens again with fresh policies and connections. */
  async reconnect(): Promise<void> {
    this.close();
    this.#transport = openTransport(this.#config.fetch, this.#wire.compression);
    this.#pipeline = this.#openPipeline();
    this.#latest = undefined;
    this.#isClosed = false;
    this.#guard = this.#openGuard(this.#connections());
  }

  async #batch(
    access: Access,
    operation: Operation,
    statements: readonly AnyStatement[],
    shape: BatchShape,
  ): Promise<Array<ResultSet>> {
    beginSql(shape.begin as TransactionMode);
    const encoded = statements.map(encodeStatement);
    const layout = batchLayout(encoded.length, shape);
    const { intMode } = this.#config;
    const build: RequestBuilder = (version, index) => batchRequests(encoded, shape, version, index);
    // One that takes the write lock must not be sent twice: the second would wait for the first.
    const isRepeatable = shape.begin !== "write";
    const attempt = async (cx: AttemptContext) => {
      const body = await this.#sendAlone(access, operation.kind, isRepeatable, build, cx);
      return marked(batchOutcome(resultOf(body), layout, intMode).take(), body.isStale);
    };
    return this.#open().run(operation, timed(this.#guard.slow, statements, rowsOfAll, attempt));
  }

  /** Sends requests on a stream of their own, closed at the end. */
  #sendAlone(
    access: Access,
    kind: StatementKind,
    isRepeatable: boolean,
    build: RequestBuilder,
    cx: AttemptContext,
  ): Promise<PipelineResponse> {
    const { endpoint } = cx as RoutedContext;
    const pipeline = endpoint?.pipeline ?? this.#pipeline;
    const post: Post = (index, signal) =>
      pipeline.send(build, true, pipeline.addressOn(cx.connection, cx.traceHeaders), signal, index);
    return access.at(endpoint).send(kind, isRepeatable, cx, post);
  }

  /** Nothing, when nothing has to be asked; throws at once for a statement that is known to cost too much. */
  #checkCost(statements: readonly AnyStatement[]): Promise<void> | undefined {
    const cost = this.#cost;
    const unknown = cost === undefined ? [] : statements.map(sqlOf).filter((sql) => cost.isUnknown(sql));
    if (cost === undefined || unknown.length === 0) return undefined;
    const guard = this.#open();
    const access = this.#access(this.#consistency.floor, undefined);
    // A question of ours: it takes nothing of the tenant's rate.
    const operation = { class: "healthCheck", kind: "read", name: "explain", retry: false } as const;
    const ask: Ask = (sql) =>
      guard.run(operation, async (cx) => {
        const request = executeRequest(encodeStatement(sql));
        return executeResult(resultOf(await this.#sendAlone(access, "unknown", true, () => request, cx)), "number");
      });
    return cost.checkAll(unknown, ask);
  }

  #access(floor: Floor, options: OperationOptions | undefined): Access {
    const own = this.#consistency.floorOf(options?.consistencyToken, floor);
    // Kept, because nearly every operation stands on the same floor.
    if (this.#latest?.floor === own) return this.#latest;
    const access = new Access(this.#consistency, this.#endpoint, this.#pipeline, own);
    this.#latest = access;
    return access;
  }

  #open(): Guard {
    if (this.#isClosed) throw clientClosed();
    return this.#guard;
  }

  #connections(): Connections {
    return connectionsOver(this.#transport, this.#pipeline);
  }

  #openPipeline(): Pipeline {
    const { baseUrl, remoteEncryptionKey, intMode } = this.#config;
    const { authorize } = this.#credentials;
    return new Pipeline(baseUrl, this.#transport, authorize, remoteEncryptionKey, intMode, this.#piggyback);
  }
}

/** A connection is set up by the smallest request that there is: it opens no stream and asks nothing of the database. */
export function connectionsOver(transport: Transport, pipeline: Pipeline): Connections {
  const nothing = () => ({ requests: "", count: 0 });
  return {
    setUp: (connection, signal) => pipeline.send(nothing, true, pipeline.addressOn(connection), signal),
    check: async (connection) => (await transport.check?.(connection)) ?? true,
    retire: (connection) => transport.retire?.(connection),
  };
}

/** The first error, or the last result but that of `close`, which comes last. */
function resultOf({ results }: PipelineResponse): StreamResult {
  const own = results.length - 1;
  for (let i = 0; i < own - 1; i++) if (results[i]?.type === "error") return results[i] as StreamResult;
  return results[own - 1] as StreamResult;
}

function joined(first: EncodedRequests, second: EncodedRequests): EncodedRequests {
  return { requests: `${first.requests},${second.requests}`, count: first.count + second.count };
}

function clientClosed(): LibsqlError {
  return new LibsqlError("The client is closed", "CLIENT_CLOSED");
}
