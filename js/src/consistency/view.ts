// A client as one request sees it: the same connections and policies, and a floor and a trace of its own.
import type { Client, InArgs, InStatement, Replicated, ResultSet, Transaction, TransactionMode } from "../api.ts";
import type { CacheControls } from "../cache/client-cache.ts";
import type { SeawallClient } from "../client.ts";
import type { ClusterControls } from "../cluster/controls.ts";
import type { OperationOptions } from "../config/options.ts";
import type { Passenger } from "../hrana/piggyback.ts";
import type { RemoteClient } from "../remote-client.ts";
import type { Status } from "../status.ts";
import { type TraceCarrier, type TraceContext, traceContextOf } from "../telemetry/trace-context.ts";
import type { Consistency, ConsistencyStatus } from "./consistency.ts";
import type { Floor } from "./log-index.ts";

/** Seawall's own surface of a client of one database. */
export interface ClientControls extends ClusterControls {
  /** Results of reads that are kept in this isolate. */
  readonly cache: CacheControls;
  /**
   * Has a question ride along: `passenger` is asked for each request that ends its stream, and what it gives is one more
   * statement in it, after all others. It changes no result, and no request is sent for it. `seawall/flags` reads so whether
   * something was killed.
   *
   * @returns Ends it.
   * @throws RangeError at the fifth.
   */
  piggyback(passenger: Passenger): () => void;
  /** State and counters of all policies in this isolate. */
  status(): ClientStatus;
  /**
   * A short text for what has been written here so far: give it to the next request, in a cookie or a header, and its
   * reads will see it, in whichever isolate they run. It holds no secret. Undefined before the first write, and with a
   * server that does not tell how far its log is.
   */
  consistencyToken(): string | undefined;
  /**
   * The same client for one request: its reads see what `token` stands for and what was written through it before. No
   * token (`undefined`, `null`, `""`) is one that asks for nothing. Closing it closes nothing.
   *
   * @throws {@link ResilienceError} `CONSISTENCY_TOKEN_INVALID` when it is garbled or of another database.
   */
  withConsistency(token: string | null | undefined): SeawallClient;
  /**
   * The same client for one request, whose trace its operations belong to: give it the request's headers. What is not
   * valid in them begins a new trace. Closing it closes nothing.
   */
  withTrace(carrier: TraceCarrier | undefined): SeawallClient;
}

/** {@link Status}, and what became of reads that asked for earlier writes. */
export interface ClientStatus extends Status {
  consistency: ConsistencyStatus;
}

/** `controls` for whoever stands on `floor`. */
export function clientControlsOf(
  controls: ClusterControls & Pick<ClientControls, "cache" | "piggyback">,
  client: RemoteClient,
  consistency: Consistency,
  floor: Floor,
  trace?: TraceContext,
): ClientControls {
  const view = (own: Floor, cause: TraceContext | undefined) =>
    new RequestView(client, own, clientControlsOf(controls, client, consistency, own, cause), cause);
  return {
    ...controls,
    status: () => ({ ...controls.status(), consistency: consistency.status() }),
    consistencyToken: () => consistency.tokenOf(floor),
    withConsistency(token) {
      return view(consistency.floorFor(token), trace);
    },
    withTrace: (carrier) => view(floor, traceContextOf(carrier)),
  };
}

class RequestView implements SeawallClient {
  readonly seawall: ClientControls;
  readonly #client: RemoteClient;
  readonly #floor: Floor;
  readonly #trace: TraceContext | undefined;

  constructor(client: RemoteClient, floor: Floor, controls: ClientControls, trace: TraceContext | undefined) {
    this.#client = client;
    this.#floor = floor;
    this.#trace = trace;
    this.seawall = controls;
  }

  get closed(): boolean {
    return this.#client.closed;
  }

  get protocol(): string {
    return this.#client.protocol;
  }

  execute(statement: InStatement, args?: InArgs): Promise<ResultSet> {
    return this.#client.executeOn(this.#floor, this.#traced(statement, args), args);
  }

  batch(
    statements: Array<InStatement | [string, InArgs?]>,
    mode?: TransactionMode,
    options?: OperationOptions,
  ): Promise<Array<ResultSet>> {
    return this.#client.batchOn(this.#floor, statements, mode, this.#own(options));
  }

  migrate(statements: Array<InStatement>, options?: OperationOptions): Promise<Array<ResultSet>> {
    return this.#client.migrateOn(this.#floor, statements, this.#own(options));
  }

  executeMultiple(sql: string, options?: OperationOptions): Promise<void> {
    return this.#client.executeMultipleOn(this.#floor, sql, this.#own(options));
  }

  transaction(mode?: TransactionMode, options?: OperationOptions): Promise<Transaction> {
    return this.#client.transactionOn(this.#floor, mode, this.#own(options));
  }

  sync(): Promise<Replicated> {
    return this.#client.sync();
  }

  #own(options: OperationOptions | undefined): OperationOptions | undefined {
    return this.#trace === undefined ? options : { trace: this.#trace, ...options };
  }

  #traced(statement: InStatement, args: InArgs | undefined): InStatement {
    if (this.#trace === undefined) return statement;
    if (typeof statement !== "string") return { ...statement, seawall: { trace: this.#trace, ...statement.seawall } };
    return { sql: statement, ...(args === undefined ? {} : { args }), seawall: { trace: this.#trace } };
  }

  /** Does nothing: the connections are those of the client that it came from. */
  close(): void {}

  reconnect(): ReturnType<Client["reconnect"]> {}
}
