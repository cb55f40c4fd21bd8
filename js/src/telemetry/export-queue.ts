// What is to be sent to a collector: a bounded queue, sent in batches in the background, tried again within bounds.
//
// A batch is taken out of the queue by the request that sends it, so that no request waits for another's: on Workers that
// would kill the one that waits. What a lost request was sending is lost with it.

import type { Platform } from "../platform/platform.ts";
import type { ExportStatus } from "./span.ts";

/** Items that wait or are being sent, at most; the next ones are dropped and counted. */
const QUEUE_MAX = 2_048;
/** Items of one request to the collector. */
const BATCH_MAX = 512;
/** How long items wait for company, in milliseconds. */
const DELAY_MS = 1_000;
/** A timer that is so late belonged to a request that is gone. */
const DELAY_GRACE_MS = 2_000;
const ATTEMPTS_MAX = 3;
const BACKOFF_MS = 500;
/** A collector that asks for a longer pause is not asked again. */
const RETRY_AFTER_MAX_MS = 10_000;
const TIMEOUT_MS = 10_000;
/** What is being sent for so long was lost with its request. */
const LOST_MS = 60_000;

/** Sends one batch. */
export type Send<T> = (batch: readonly T[], signal: AbortSignal) => Promise<Response>;

/** A batch that is being sent. */
interface Sending {
  readonly ended: Promise<void>;
  readonly count: number;
  readonly beganMs: number;
}

/** Items on their way to a collector. */
export class ExportQueue<T> {
  readonly #platform: Platform;
  readonly #send: Send<T>;
  #items: T[] = [];
  readonly #sending = new Set<Sending>();
  /** When a timer of ours will have fired at the latest; 0 when none is set. */
  #dueMs = 0;
  #sent = 0;
  #dropped = 0;

  constructor(platform: Platform, send: Send<T>) {
    this.#platform = platform;
    this.#send = send;
  }

  /** Takes an item in, and sees to it that it is sent in a while. Never throws. */
  push(item: T): void {
    const now = this.#platform.now();
    if (this.#items.length + this.#inFlight(now) >= QUEUE_MAX) {
      this.#dropped += 1;
      return;
    }
    this.#items.push(item);
    // Of a clock that stepped back, nothing is due for long.
    const isScheduled = now <= this.#dueMs && this.#dueMs - now <= DELAY_MS + DELAY_GRACE_MS;
    if (this.#items.length >= BATCH_MAX) this.#platform.waitUntil(this.#sendAll());
    else if (!isScheduled) this.#schedule(now);
  }

  /** Sends everything now. Resolves when it has been, or has been given up; never rejects. */
  async flush(): Promise<void> {
    // Another request's promises are not waited for where that may not be.
    const others = this.#platform.isPolling ? [] : [...this.#sending].map(({ ended }) => ended);
    await Promise.all([this.#sendAll(), ...others]);
  }

  status(): ExportStatus {
    return { waiting: this.#items.length, sent: this.#sent, dropped: this.#dropped };
  }

  #schedule(now: number): void {
    this.#dueMs = now + DELAY_MS + DELAY_GRACE_MS;
    const later = new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#dueMs = 0;
        resolve(this.#sendAll());
      }, DELAY_MS);
      // It keeps no process alive: whoever ends one flushes before.
      (timer as { unref?(): void }).unref?.();
    });
    this.#platform.waitUntil(later);
  }

  #inFlight(now: number): number {
    let count = 0;
    for (const sending of this.#sending) {
      if (Math.abs(now - sending.beganMs) > LOST_MS) this.#sending.delete(sending);
      else count += sending.count;
    }
    return count;
  }

  async #sendAll(): Promise<void> {
    const batches: Promise<void>[] = [];
    while (this.#items.length > 0) {
      const batch = this.#items.splice(0, BATCH_MAX);
      const ended = this.#deliver(batch);
      const sending = { ended, count: batch.length, beganMs: this.#platform.now() };
      this.#sending.add(sending);
      batches.push(ended.finally(() => this.#sending.delete(sending)));
    }
    await Promise.all(batches);
  }

  /** Never rejects. */
  async #deliver(batch: readonly T[]): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const pauseMs = await this.#attempt(batch);
      if (pauseMs === undefined) {
        this.#sent += batch.length;
        return;
      }
      if (pauseMs < 0 || attempt === ATTEMPTS_MAX) break;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pauseMs === 0 ? BACKOFF_MS * 2 ** (attempt - 1) : pauseMs);
        (timer as { unref?(): void }).unref?.();
      });
    }
    this.#dropped += batch.length;
  }

  /** Undefined when it was taken; else after how many milliseconds to try again: 0 for any time, less for never. */
  async #attempt(batch: readonly T[]): Promise<number | undefined> {
    try {
      const response = await this.#send(batch, AbortSignal.timeout(TIMEOUT_MS));
      // An answer that nobody reads keeps its connection. Whoever answers may go on for ever: nobody waits for that.
      response.body?.cancel().catch(() => {});
      if (response.ok) return undefined;
      if (![429, 502, 503, 504].includes(response.status)) return -1;
      return retryAfterMs(response.headers.get("retry-after"), this.#platform.now());
    } catch {
      return 0;
    }
  }
}

/** What `Retry-After` asks for: seconds or a date. 0 when it says nothing, -1 when it is too long. */
function retryAfterMs(text: string | null, nowMs: number): number {
  if (text === null || text.trim() === "") return 0;
  const seconds = Number(text);
  const pauseMs = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(text) - nowMs;
  if (Number.isNaN(pauseMs) || pauseMs <= 0) return 0;
  return pauseMs > RETRY_AFTER_MAX_MS ? -1 : pauseMs;
}
