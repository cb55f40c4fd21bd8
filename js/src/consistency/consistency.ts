// Read your writes: a read names the index in the log that it must see, and a replica that is not there yet waits.
//
// A server tells with each result how far its log is. What a write was told is the floor of the reads after it. A replica
// waits for the floor for as long as it takes, for ever if its primary is dead, so the wait ends here: after `waitTimeout`
// the read is sent again without a floor, and the index in its answer tells whether it is stale.
//
// Why this is not in the core: a floor is no hint. It must survive a core that traps, several cores share one, and it is
// compared once for each read; to ask wasm would cost a call to decide what one comparison of two short texts decides.
import { attachFailure, makeError } from "../errors.ts";
import type { PipelineResponse, StreamResult } from "../hrana/proto.ts";
import type { StatementKind } from "../operation.ts";
import type { Platform } from "../platform/platform.ts";
import { Floor, indexOf, isBefore, type LogIndex } from "./log-index.ts";
import type { ConsistencySettings } from "./settings.ts";
import { fingerprintOf, indexOfToken, tokenOf } from "./token.ts";

/** How an operation takes part. */
export interface Intent {
  readonly floor: Floor;
  /** A write raises the floor; anything else asks for it. */
  readonly kind: StatementKind;
  /** Whether it may be sent again while nobody knows what became of the first. */
  readonly isRepeatable: boolean;
}

/** What an attempt leaves to the wait. */
export interface WaitContext {
  readonly signal: AbortSignal;
  /** Milliseconds that the attempt has; 0 for no limit. */
  readonly timeoutMs: number;
}

/** Sends a request that asks for an index; an empty one asks for nothing. */
export type Post = (index: LogIndex, signal: AbortSignal) => Promise<PipelineResponse>;

/** Counts since the client was made. */
export interface ConsistencyStatus {
  /** Whether the server tells indexes at all; `null` before the first write was answered. */
  supported: boolean | null;
  /** The index that reads of this isolate ask for, in decimal digits; `null` while there is none. */
  floor: string | null;
  /** Reads that asked for an index. */
  asked: number;
  /** Reads that no answer came to within `waitTimeout`. */
  timeouts: number;
  /** Reads that were answered with less than they had asked for. */
  stale: number;
  /** How often the log was found to have begun anew. */
  restarts: number;
  /** When the latest stale answer came, in milliseconds since the epoch. */
  lastStaleAtMs: number | null;
}

/** What is known of one endpoint of the database. */
export class EndpointIndex {
  /** The highest index that it has answered with. */
  seen: LogIndex = "";
  /** Whoever asks for this index or a later one does not wait before `untilMs`: the endpoint has just failed to reach it. */
  missed: LogIndex = "";
  untilMs = 0;
  /** It was silent even when it was asked for no index, so it does not wait for its log: it hangs. */
  isSilent = false;

  /** An answer came from `index`. */
  answered(index: LogIndex): void {
    this.isSilent = false;
    if (isBefore(this.seen, index)) this.seen = index;
    if (this.missed !== "" && !isBefore(index, this.missed)) this.missed = "";
  }
}

/** The floor of one database in one isolate. Endpoints of the same database share it. */
export class Consistency {
  /** What the reads of this isolate ask for, or, with tokens, what a token of this client stands for. */
  readonly floor = new Floor();
  readonly #settings: ConsistencySettings;
  readonly #fingerprint: string;
  readonly #platform: Platform;
  readonly #nothing = new Floor();
  readonly #counts = { asked: 0, timeouts: 0, stale: 0, restarts: 0 };
  #lastStaleAtMs: number | null = null;
  #isSupported: boolean | null = null;

  /** `database` is the same for every address of one database. */
  constructor(settings: ConsistencySettings, database: string, platform: Platform) {
    this.#settings = settings;
    this.#fingerprint = fingerprintOf(database);
    this.#platform = platform;
  }

  get isOff(): boolean {
    return this.#settings.readYourWrites === "off";
  }

  /** Whether to ask after a script how far it came: its own answer does not say. */
  get asksAfterScripts(): boolean {
    return !this.isOff && this.#isSupported !== false;
  }

  /**
   * A floor for a request with that token, if it has one.
   *
   * @throws {@link ResilienceError} `CONSISTENCY_TOKEN_INVALID`.
   */
  floorFor(token: string | null | undefined, below?: Floor): Floor {
    const index = indexOfToken(token, this.#fingerprint);
    return new Floor(below ?? (this.#settings.readYourWrites === "isolate" ? this.floor : undefined), index);
  }

  /** The floor of an operation that names a token, or does not. */
  floorOf(token: string | null | undefined, base: Floor): Floor {
    return token === undefined || token === null ? base : this.floorFor(token, base);
  }

  /** The index that reads on a floor ask for; empty for none. */
  askedOn(floor: Floor): LogIndex {
    return this.isOff ? "" : this.#asked(floor).index;
  }

  /** The token for everything that was written on `floor`; undefined before the first write. */
  tokenOf(floor: Floor): string | undefined {
    const { index } = floor;
    return index === "" || this.isOff ? undefined : tokenOf(this.#fingerprint, index);
  }

  status(): ConsistencyStatus {
    const { index } = this.#asked(this.floor);
    const floor = index === "" ? null : index;
    return { supported: this.#isSupported, floor, ...this.#counts, lastStaleAtMs: this.#lastStaleAtMs };
  }

  /**
   * Sends an operation so that it sees its floor, or raises the floor by what it wrote.
   *
   * The answer is marked `isStale` when it is known, or must be feared, to lack something below the floor.
   *
   * @param askPrimary Asks where the primary's log is, through an endpoint that may be a replica.
   * @throws What `post` throws; {@link ResilienceError} `REPLICA_BEHIND` instead of a stale answer, if so set.
   */
  send(
    intent: Intent,
    endpoint: EndpointIndex,
    cx: WaitContext,
    post: Post,
    askPrimary: Post,
  ): Promise<PipelineResponse> {
    if (this.isOff) return post("", cx.signal);
    if (intent.kind === "write") return this.#write(intent.floor, endpoint, cx, post);
    const { index } = this.#asked(intent.floor);
    if (intent.kind === "unknown") return this.#unknown(intent.floor, index, endpoint, cx, post);
    if (index === "") return post("", cx.signal);
    this.#counts.asked += 1;
    if (!intent.isRepeatable) return this.#readOnce(intent.floor, index, endpoint, cx, post);
    return this.#read(intent.floor, index, endpoint, cx, post, askPrimary);
  }

  /** A transaction or a script has written: `value` is what the server said of its log. */
  wrote(floor: Floor, value: unknown): void {
    if (this.isOff) return;
    const index = indexOf(value);
    this.#isSupported = index !== "";
    floor.raise(index);
  }

  #asked(floor: Floor): Floor {
    return floor === this.floor && this.#settings.readYourWrites !== "isolate" ? this.#nothing : floor;
  }

  async #write(floor: Floor, endpoint: EndpointIndex, cx: WaitContext, post: Post): Promise<PipelineResponse> {
    const before = floor.index;
    const body = await post("", cx.signal);
    const index = indexIn(body);
    // An error or a script says nothing of the log, which is not the same as a server that never does.
    if (index === "" && !hasResult(body)) return body;
    // The primary wrote it after it had written what the floor stands for.
    if (index !== "" && isBefore(index, before)) this.#restarted(floor, endpoint, before, index);
    endpoint.answered(index);
    this.wrote(floor, index);
    return body;
  }

  /** It may read and it may write, so it asks for the floor, raises it, and is not repeated. */
  async #unknown(floor: Floor, index: LogIndex, endpoint: EndpointIndex, cx: WaitContext, post: Post) {
    const body = await post(this.#isMissed(index, endpoint) ? "" : index, cx.signal);
    const answered = indexIn(body);
    if (answered !== "") {
      endpoint.answered(answered);
      this.wrote(floor, answered);
    }
    return body;
  }

  async #read(
    floor: Floor,
    index: LogIndex,
    endpoint: EndpointIndex,
    cx: WaitContext,
    post: Post,
    askPrimary: Post,
  ): Promise<PipelineResponse> {
    const { waitTimeoutMs } = this.#settings;
    if (endpoint.isSilent) {
      const first = await post("", cx.signal);
      // A stream that it has opened is not opened again, whatever its age.
      if (first.baton || !isBefore(indexIn(first), index)) return this.#judged(floor, index, endpoint, first);
      endpoint.answered(indexIn(first));
    }
    let hasWaited = false;
    // The other half is for the answer that does not wait.
    const waitMs = cx.timeoutMs > 0 ? Math.min(waitTimeoutMs, Math.floor(cx.timeoutMs / 2)) : waitTimeoutMs;
    if (waitMs > 0 && !this.#isMissed(index, endpoint)) {
      const body = await within(waitMs, cx.signal, (signal) => post(index, signal));
      if (body !== undefined) {
        const answered = indexIn(body);
        // Only a primary does not wait, and it can be before the floor only if its log is not the one that was written to.
        if (answered !== "" && isBefore(answered, index)) this.#restarted(floor, endpoint, index, answered);
        endpoint.answered(answered);
        return body;
      }
      this.#counts.timeouts += 1;
      endpoint.missed = index;
      endpoint.untilMs = this.#platform.now() + waitTimeoutMs;
      hasWaited = true;
    }
    let body: PipelineResponse;
    try {
      body = this.#judged(floor, index, endpoint, await post("", cx.signal));
    } catch (error) {
      endpoint.isSilent = endpoint.missed !== "";
      throw error;
    }
    // Only of an endpoint that answers at all: the question is one request more.
    if (hasWaited) this.#platform.waitUntil(this.#lookForRestart(floor, index, endpoint, waitMs, askPrimary));
    if (body.isStale && this.#settings.onTimeout === "error") throw behind(index, indexIn(body), waitMs);
    return body;
  }

  /** It holds a lock, so it is not sent again: it waits for as long as its deadline allows. */
  async #readOnce(floor: Floor, index: LogIndex, endpoint: EndpointIndex, cx: WaitContext, post: Post) {
    if (!this.#isMissed(index, endpoint)) return post(index, cx.signal);
    return this.#judged(floor, index, endpoint, await post("", cx.signal));
  }

  /** Marks an answer that did not wait, if it came too early. */
  #judged(floor: Floor, index: LogIndex, endpoint: EndpointIndex, body: PipelineResponse): PipelineResponse {
    const answered = indexIn(body);
    endpoint.answered(answered);
    // The primary may have told meanwhile that its log began anew, and less is needed.
    const needed = isBefore(floor.index, index) ? floor.index : index;
    if (answered !== "" && !isBefore(answered, needed)) return body;
    this.#counts.stale += 1;
    this.#lastStaleAtMs = this.#platform.now();
    body.isStale = true;
    return body;
  }

  /** A primary that was killed begins its log anew: then the floor is not late but gone. */
  async #lookForRestart(
    floor: Floor,
    index: LogIndex,
    endpoint: EndpointIndex,
    limitMs: number,
    askPrimary: Post,
  ): Promise<void> {
    try {
      const body = await within(limitMs, undefined, (signal) => askPrimary("", signal));
      const current = body === undefined ? "" : indexIn(body);
      if (current !== "" && isBefore(current, index)) this.#restarted(floor, endpoint, index, current);
    } catch {
      // It cannot be asked, so nothing is known; the next read that waits in vain asks again.
    }
  }

  #restarted(floor: Floor, endpoint: EndpointIndex, old: LogIndex, index: LogIndex): void {
    this.#counts.restarts += 1;
    floor.restart(old, index);
    this.floor.restart(old, index);
    endpoint.seen = index;
    endpoint.missed = "";
  }

  #isMissed(index: LogIndex, endpoint: EndpointIndex): boolean {
    return endpoint.missed !== "" && !isBefore(index, endpoint.missed) && this.#platform.now() < endpoint.untilMs;
  }
}

/** The latest index that an answer names; empty if it names none. */
export function indexIn(body: PipelineResponse): LogIndex {
  let index = "";
  for (const result of body.results) {
    const own = indexOfResult(result);
    if (isBefore(index, own)) index = own;
  }
  return index;
}

/** How far the log of the one who gave this result is; empty if it does not say. */
export function indexOfResult(result: StreamResult | undefined): LogIndex {
  return indexOf(resultOf(result)?.replication_index);
}

function hasResult(body: PipelineResponse): boolean {
  return body.results.some((result) => resultOf(result) !== undefined);
}

function resultOf(result: StreamResult | undefined): { replication_index?: unknown } | undefined {
  if (result?.type !== "ok") return undefined;
  const value = result.response?.result;
  return typeof value === "object" && value !== null ? value : undefined;
}

/** What `start` gives within `ms`, or undefined; then, and when `outer` aborts, its own signal is aborted. */
function within<T>(ms: number, outer: AbortSignal | undefined, start: (signal: AbortSignal) => Promise<T>) {
  return new Promise<T | undefined>((resolve, reject) => {
    const own = new AbortController();
    const abort = () => own.abort(outer?.reason);
    const end = () => {
      clearTimeout(timer);
      outer?.removeEventListener("abort", abort);
    };
    const timer = setTimeout(() => {
      end();
      resolve(undefined);
      own.abort();
    }, ms);
    if (outer?.aborted) abort();
    outer?.addEventListener("abort", abort, { once: true });
    start(own.signal).then(
      (value) => {
        end();
        resolve(value);
      },
      (error) => {
        end();
        reject(error);
      },
    );
  });
}

function behind(index: LogIndex, answered: LogIndex, waitMs: number) {
  const where = answered === "" ? "" : `: it is at ${answered} of its primary's log, and ${index} was asked for`;
  const error = makeError(
    "REPLICA_BEHIND",
    `The replica did not catch up within ${waitMs} ms${where}. ` +
      "Ask again, raise consistency.waitTimeout, or let consistency.onTimeout be stale to take an older answer.",
    { origin: "upstream", retry: "if_repeatable", outcome: "not_executed" },
  );
  // An answer of the request's own kind: not the database's fault as a whole, and not to be tried again at once.
  return attachFailure(error, { status: 409, code: "REPLICA_BEHIND", sent: true });
}
