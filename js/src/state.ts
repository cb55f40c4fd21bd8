// Carries hints between the core and the store: reads and writes when the core says so, in the background, and never
// lets a store that throws, hangs or lies delay or fail an operation.

import type { StateOptions } from "./config/options.ts";
import type { CoreHandle } from "./core.ts";
import type { Platform } from "./platform/platform.ts";
import { demandMethods } from "./store/checks.ts";
import type { Store } from "./store/store.ts";

const PREFIX = "seawall/v1/";
const COLD_READ_TIMEOUT_MS = 100;
/** A background read or write that takes longer is given up, in milliseconds. */
const STORE_TIMEOUT_MS = 5_000;
/** How often a request looks whether another's cold read has ended, in milliseconds. */
const COLD_POLL_MS = 2;
/** A hint that nobody renewed is forgotten after this, in seconds. */
const TTL_S = 3_600;
/** Keys that a view of the fleet reads, */
const COLOS_MAX = 400;
/** and how many of them at once: Workers allow no more connections. */
const READS_AT_ONCE = 6;
/** No snapshot is longer, in characters: the core refuses what is. */
const TEXT_MAX = 50_000;
/** What a data centre may be called: it becomes a part of a key. */
const COLO = /^[A-Za-z0-9_-]{1,32}$/;

/** Resolves after `ms`, on a timer of the request that calls it. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Its options with a store, whoever made it, and a number for the one span that is heeded here. */
type HeededOptions = StateOptions & { store: Store; coldReadTimeout?: number };

/** Shares what one database's policies learn. */
export class SharedState {
  readonly #options: HeededOptions;
  /** The key for isolates that do not know where they are. */
  readonly #placeless: string;
  readonly #colo: () => string | undefined;
  readonly #platform: Platform;
  readonly #handle: () => CoreHandle;
  /** 0 before the cold read, its deadline while it runs, -1 after it. */
  #coldUntil = 0;

  /** @throws TypeError when a store is none, or the name of the data centre cannot be used. */
  constructor(
    options: StateOptions & { coldReadTimeout?: number },
    database: string,
    platform: Platform,
    handle: () => CoreHandle,
  ) {
    for (const name of ["store", "near"] as const) {
      if (name === "near" && options.near === undefined) continue;
      demandMethods(options[name], ["get", "put"], `seawall.state.${name}`, "a store, as memoryStore() makes one");
    }
    this.#options = options as HeededOptions;
    this.#placeless = `${options.prefix ?? PREFIX}${database}`;
    this.#colo = coloOf(options.colo, platform);
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
        await Promise.race([Promise.all([this.#read(), this.#readNear()]), sleep(this.#coldReadTimeout)]);
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
    if (this.#options.near === undefined) return;
    if (handle.claimNearWrite()) this.#platform.waitUntil(this.#writeNear(this.#options.near));
    else if (handle.claimNearRead(now)) this.#platform.waitUntil(this.#readNear());
  }

  /**
   * Reads what the data centres stored for this database, our own included, which is imported as well. Names and texts
   * in turn, with a space between any two.
   *
   * @throws TypeError when the store cannot list; what it throws, or that it is late, when listing fails.
   */
  async readFleet(): Promise<{ words: string; unread: number }> {
    const { store } = this.#options;
    if (store.caps?.list === false || typeof store.list !== "function") {
      throw new TypeError(`fleet() needs a store that can list keys; the store ${store.name} cannot.`);
    }
    const prefix = `${this.#placeless}/`;
    const keys = (await withTimeout(() => (store.list as NonNullable<Store["list"]>)(prefix))).filter(
      (key) => key.startsWith(prefix) && COLO.test(key.slice(prefix.length)),
    );
    // Isolates that do not know where they are have a key of their own, which is no longer than the prefix.
    const asked = [this.#placeless, ...keys].slice(0, COLOS_MAX);
    const words: string[] = [];
    let unread = keys.length + 1 - asked.length;
    const own = this.#key;
    const queue = asked.values();
    const work = async () => {
      for (const key of queue) {
        try {
          const text = await get(store, key);
          if (!isHint(text)) continue;
          if (key === own) this.#import(text);
          words.push(key.slice(prefix.length), text.slice(0, TEXT_MAX).replace(/\s/g, ""));
        } catch {
          unread += 1;
        }
      }
    };
    await Promise.all(Array.from({ length: READS_AT_ONCE }, work));
    return { words: words.join(" "), unread };
  }

  /** Asked each time: an isolate may learn where it is from its first request. */
  get #key(): string {
    const colo = this.#colo();
    return colo === undefined ? this.#placeless : `${this.#placeless}/${colo}`;
  }

  get #coldReadTimeout(): number {
    return this.#options.coldReadTimeout ?? COLD_READ_TIMEOUT_MS;
  }

  async #read(): Promise<void> {
    try {
      this.#import(await get(this.#options.store, this.#key));
    } catch {
      this.#failed("storeFailed");
    }
  }

  /** Reads before it writes, so that one of many isolates with the same news is enough. */
  async #write(delay: number): Promise<void> {
    try {
      await sleep(delay);
      const { store, near } = this.#options;
      const key = this.#key;
      this.#import(await get(store, key).catch(() => null));
      const { core } = this.#handle();
      if (core.isStored()) return;
      const text = core.export();
      await put(store, key, text);
      this.#handle().core.stored(text);
      if (near !== undefined) await put(near, key, text).catch(() => {});
    } catch {
      this.#failed("writeFailed");
    }
  }

  async #readNear(): Promise<void> {
    const { near } = this.#options;
    if (near === undefined) return;
    try {
      this.#importNear(await get(near, this.#key));
    } catch {
      // It may forget anything at any time; a failure says nothing of the far one.
    }
  }

  /** Reads before it writes, so that what others near by know is not lost. */
  async #writeNear(near: Store): Promise<void> {
    try {
      const key = this.#key;
      this.#importNear(await get(near, key).catch(() => null));
      await put(near, key, this.#handle().core.export());
    } catch {
      // The far one is told too.
    }
  }

  #import(text: unknown): void {
    if (isHint(text)) this.#handle().core.import(text, this.#platform.now());
  }

  #importNear(text: unknown): void {
    if (isHint(text)) this.#handle().core.importNear(text, this.#platform.now());
  }

  #failed(how: "storeFailed" | "writeFailed"): void {
    try {
      this.#handle().core[how](this.#platform.now());
    } catch {
      // A trapped core is replaced by the next operation.
    }
  }
}

/**
 * How to ask where this isolate is.
 *
 * @throws TypeError when a name was given that cannot be a part of a key.
 */
function coloOf(option: StateOptions["colo"], platform: Platform): () => string | undefined {
  if (typeof option === "function") {
    return () => {
      try {
        const colo = option();
        return typeof colo === "string" && COLO.test(colo) ? colo : undefined;
      } catch {
        return undefined;
      }
    };
  }
  if (option !== undefined && option !== "" && !(typeof option === "string" && COLO.test(option))) {
    throw new TypeError(
      "seawall.state.colo must be 1 to 32 letters, digits, _ or -, a function that gives such a name, or empty.",
    );
  }
  const colo = option ?? platform.colo();
  const known = colo !== undefined && COLO.test(colo) ? colo : undefined;
  return () => known;
}

function isHint(text: unknown): text is string {
  return typeof text === "string" && text !== "";
}

function get(store: Store, key: string): Promise<unknown> {
  return withTimeout(() => store.get(key));
}

function put(store: Store, key: string, text: string): Promise<void> {
  return withTimeout(() => store.put(key, text, TTL_S));
}

/** What `work` gives, unless it takes longer than a store may. */
async function withTimeout<T>(work: () => Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("the store did not answer")), STORE_TIMEOUT_MS);
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}
