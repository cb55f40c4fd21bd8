// Carries hints between the core and the store: reads and writes when the core says so, in the background, and never
// lets a store that throws, hangs or lies delay or fail an operation.

import type { StateOptions } from "./config/options.ts";
import type { CoreHandle } from "./core.ts";
import type { Platform } from "./platform/platform.ts";

const PREFIX = "seawall/v1/";
const COLD_READ_TIMEOUT_MS = 100;
/** A background read or write that takes longer is given up, in milliseconds. */
const STORE_TIMEOUT_MS = 5_000;
/** How often a request looks whether another's cold read has ended, in milliseconds. */
const COLD_POLL_MS = 2;
/** A hint that nobody renewed is forgotten after this, in seconds. */
const TTL_S = 3_600;

/** Resolves after `ms`, on a timer of the request that calls it. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Shares what one database's policies learn. */
export class SharedState {
  readonly #options: StateOptions;
  readonly #key: string;
  readonly #platform: Platform;
  readonly #handle: () => CoreHandle;
  /** 0 before the cold read, its deadline while it runs, -1 after it. */
  #coldUntil = 0;

  constructor(options: StateOptions, database: string, platform: Platform, handle: () => CoreHandle) {
    this.#options = options;
    this.#key = `${options.prefix ?? PREFIX}${database}`;
    this.#platform = platform;
    this.#handle = handle;
    if (this.#coldReadTimeout === 0) this.#coldUntil = -1;
  }

  /** Whether an operation must wait for {@link warmUp} first. */
  get isCold(): boolean {
    return this.#coldUntil !== -1;
  }

  /** Waits, at most the cold read's timeout, for what other isolates know. One request reads, the others look on. */
  async warmUp(): Promise<void> {
    const now = this.#platform.now();
    if (this.#coldUntil === 0) {
      this.#coldUntil = now + this.#coldReadTimeout;
      if (this.#handle().claimColdRead(now)) {
        await Promise.race([this.#read(), sleep(this.#coldReadTimeout)]);
      }
      this.#coldUntil = -1;
      return;
    }
    // A promise of another request must not be awaited, and that request may be cancelled: hence timers and a limit.
    while (this.isCold && this.#platform.now() < this.#coldUntil) await sleep(COLD_POLL_MS);
    this.#coldUntil = -1;
  }

  /** Reads or writes in the background if the core finds it due. */
  tick(): void {
    const handle = this.#handle();
    const now = this.#platform.now();
    const writeDelay = handle.claimWrite(now);
    if (writeDelay >= 0) this.#platform.waitUntil(this.#write(writeDelay));
    if (handle.claimRead(now)) this.#platform.waitUntil(this.#read());
  }

  get #coldReadTimeout(): number {
    return this.#options.coldReadTimeout ?? COLD_READ_TIMEOUT_MS;
  }

  async #read(): Promise<void> {
    try {
      const text = await withTimeout(this.#options.store.get(this.#key));
      this.#import(text);
    } catch {
      this.#failed();
    }
  }

  /** Reads before it writes, so that one of many isolates with the same news is enough. */
  async #write(delay: number): Promise<void> {
    try {
      await sleep(delay);
      this.#import(await withTimeout(this.#options.store.get(this.#key)).catch(() => null));
      const { core } = this.#handle();
      if (core.isStored()) return;
      const text = core.export();
      await withTimeout(this.#options.store.put(this.#key, text, TTL_S));
      this.#handle().core.stored(text);
    } catch {
      this.#failed();
    }
  }

  #import(text: unknown): void {
    if (typeof text === "string" && text !== "") this.#handle().core.import(text, this.#platform.now());
  }

  #failed(): void {
    try {
      this.#handle().core.storeFailed(this.#platform.now());
    } catch {
      // A trapped core is replaced by the next operation.
    }
  }
}

/** `work`, unless it takes longer than a store may. */
async function withTimeout<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("the store did not answer")), STORE_TIMEOUT_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
