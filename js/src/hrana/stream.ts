// One stream on the server: requests with a baton, one HTTP request at a time, because every answer replaces the baton.
//
// What is asked while a request is on its way goes out together in the next one, so ten statements started at once in a
// transaction cost two requests and not ten.
import type { WaitContext } from "../consistency/consistency.ts";
import type { LogIndex } from "../consistency/log-index.ts";
import { LibsqlError } from "../errors.ts";
import type { TraceHeaders } from "../telemetry/observer.ts";
import { aborted } from "../transport/transport.ts";
import type { EncodedRequests } from "./encode.ts";
import type { Pipeline, RequestBuilder, StreamAddress } from "./pipeline.ts";
import type { PipelineResponse, ProtocolVersion, StreamResult } from "./proto.ts";

/** How long the farewell to an abandoned stream may take, in milliseconds. The server forgets it after 10 s anyway. */
const FAREWELL_MS = 5_000;

/** How the first requests of a stream are sent, while it may still be opened a second time. */
export type Opening = (
  isRead: boolean,
  cx: WaitContext,
  post: (index: LogIndex, signal: AbortSignal) => Promise<PipelineResponse>,
) => Promise<PipelineResponse>;

/** What a request on a stream must respect. */
interface StreamContext extends WaitContext {
  readonly traceHeaders?: TraceHeaders | undefined;
}

interface Entry {
  build: RequestBuilder;
  isRead: boolean;
  timeoutMs: number;
  traceHeaders: TraceHeaders | undefined;
  /** Which of the entry's results the caller wants: the last; those before it only store SQL texts. */
  resolve(result: StreamResult): void;
  reject(error: unknown): void;
  signal: AbortSignal;
  unlisten(): void;
}

export class Stream {
  readonly #pipeline: Pipeline;
  readonly #onDeath: (error: unknown) => void;
  readonly #opening: Opening;
  #isStale = false;
  #address: StreamAddress;
  #queue: Entry[] = [];
  #isFlying = false;
  #isClosing = false;
  /** Why the stream is of no more use. */
  #death: unknown;

  /** `onDeath` is called once, when the stream ends for a reason other than {@link Stream.close}. */
  constructor(pipeline: Pipeline, connection: number, opening: Opening, onDeath: (error: unknown) => void) {
    this.#pipeline = pipeline;
    this.#opening = opening;
    this.#address = pipeline.addressOn(connection);
    this.#onDeath = onDeath;
  }

  /** Whether a replica opened it that lacked what it was asked to have. */
  get isStale(): boolean {
    return this.#isStale;
  }

  /** The error that ended the stream, if one did. */
  get death(): unknown {
    return this.#death;
  }

  /**
   * Sends one request on the stream and returns its last result.
   *
   * With `closes` the stream is closed in the same HTTP request, and nothing may be sent after it. If `signal` aborts
   * while the request is on its way, the stream is lost: nobody knows its next baton. `isRead` says that it may be sent
   * twice, on two streams.
   */
  send(build: RequestBuilder, cx: StreamContext, { closes = false, isRead = false } = {}): Promise<StreamResult> {
    const { signal, timeoutMs, traceHeaders } = cx;
    if (this.#death !== undefined) return Promise.reject(this.#death);
    if (signal.aborted) return Promise.reject(aborted(false));
    if (closes) this.#isClosing = true;
    return new Promise((resolve, reject) => {
      const entry: Entry = { build, isRead, timeoutMs, traceHeaders, resolve, reject, signal, unlisten: () => {} };
      const leave = () => {
        this.#queue = this.#queue.filter((queued) => queued !== entry);
        reject(aborted(false));
      };
      signal.addEventListener("abort", leave, { once: true });
      entry.unlisten = () => signal.removeEventListener("abort", leave);
      this.#queue.push(entry);
      // After this turn of microtasks, so that statements started together travel together.
      queueMicrotask(() => this.#fly());
    });
  }

  /** Gives the stream up without waiting: what has not left is refused with `reason`, and the server is told. */
  close(reason: LibsqlError): void {
    if (this.#death !== undefined) return;
    this.#die(reason);
    if (!this.#isFlying) this.#sayFarewell();
  }

  #fly(): void {
    if (this.#isFlying || this.#death !== undefined || this.#queue.length === 0) return;
    const entries = this.#takeEntries();
    const closes = this.#isClosing && this.#queue.length === 0;
    for (const entry of entries) entry.unlisten();
    const flight = joinSignals(entries);
    this.#isFlying = true;
    this.#exchange(entries, closes, flight.signal).finally(() => {
      flight.unlisten();
      this.#isFlying = false;
      if (this.#death === undefined) this.#fly();
      else this.#sayFarewell();
    });
  }

  /**
   * Everything that waits; but only the first entry of a stream until the server is known to speak version 3, because
   * version 2 cannot make what follows depend on the transaction having begun.
   */
  #takeEntries(): Entry[] {
    const isFirst = this.#address.baton === null;
    const taken = isFirst && this.#pipeline.version !== 3 ? this.#queue.slice(0, 1) : this.#queue;
    this.#queue = this.#queue.slice(taken.length);
    return taken;
  }

  async #exchange(entries: Entry[], closes: boolean, signal: AbortSignal): Promise<void> {
    const counts: number[] = [];
    const build = (version: ProtocolVersion, index: LogIndex): EncodedRequests => {
      // The first of them begins the transaction; what the replica has then, it has for all.
      const parts = entries.map((entry, i) => entry.build(version, i === 0 ? index : ""));
      for (const [i, part] of parts.entries()) counts[i] = part.count;
      return { requests: parts.map((part) => part.requests).join(","), count: counts.reduce((a, b) => a + b, 0) };
    };
    let answered: PipelineResponse | undefined;
    try {
      const post = async (index: LogIndex, own: AbortSignal) => {
        // Statements that travel together are told of as parts of the first one's span.
        const address = { ...this.#address, traceHeaders: entries[0]?.traceHeaders };
        answered = await this.#pipeline.send(build, closes, address, own, index);
        return answered;
      };
      const isOpening = this.#address.baton === null;
      const body = await (isOpening ? this.#opening(...openingOf(entries, signal), post) : post("", signal));
      if (body.isStale === true) this.#isStale = true;
      const { baton, base_url, results } = body;
      this.#address = {
        ...this.#address,
        baseUrl: typeof base_url === "string" ? new URL(base_url) : this.#address.baseUrl,
        baton: typeof baton === "string" ? baton : null,
      };
      let next = 0;
      for (const [i, entry] of entries.entries()) {
        const own = results.slice(next, next + (counts[i] as number));
        next += own.length;
        entry.resolve((own.find((result) => result?.type === "error") ?? own.at(-1)) as StreamResult);
      }
      if (this.#address.baton === null && !closes && this.#death === undefined) this.#die(closedByServer());
    } catch (error) {
      // The baton is spent, or in doubt, unless an answer came that was of no use.
      this.#address = { ...this.#address, baton: answered?.baton ?? null };
      for (const entry of entries) entry.reject(error);
      if (this.#death === undefined) this.#die(error);
    }
  }

  #die(error: unknown): void {
    this.#death = error;
    const waiting = this.#queue;
    this.#queue = [];
    for (const entry of waiting) {
      entry.unlisten();
      entry.reject(error);
    }
    this.#onDeath(error);
  }

  #sayFarewell(): void {
    const address = this.#address;
    if (address.baton === null) return;
    this.#address = { ...address, baton: null };
    const nothing = () => ({ requests: "", count: 0 });
    // Nobody waits for it: if it fails, the server closes the stream by itself.
    this.#pipeline.send(nothing, true, address, AbortSignal.timeout(FAREWELL_MS)).catch(() => {});
  }
}

/** Whether nothing of it writes, and what time there is for all of it. */
function openingOf(entries: Entry[], signal: AbortSignal): [boolean, WaitContext] {
  const limits = entries.map((entry) => entry.timeoutMs).filter((ms) => ms > 0);
  return [entries.every((entry) => entry.isRead), { signal, timeoutMs: limits.length > 0 ? Math.min(...limits) : 0 }];
}

/** Aborts when any of the entries' signals does: they share one HTTP request. */
function joinSignals(entries: Entry[]): { signal: AbortSignal; unlisten(): void } {
  if (entries.length === 1) return { signal: (entries[0] as Entry).signal, unlisten: () => {} };
  const controller = new AbortController();
  const abort = () => controller.abort();
  for (const { signal } of entries) signal.addEventListener("abort", abort, { once: true });
  return {
    signal: controller.signal,
    unlisten: () => {
      for (const { signal } of entries) signal.removeEventListener("abort", abort);
    },
  };
}

function closedByServer(): LibsqlError {
  return new LibsqlError("The server has closed the stream", "TRANSACTION_CLOSED");
}
