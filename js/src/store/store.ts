// Where isolates leave hints for each other.

/**
 * When a text is forgotten, measured against the time that it was put with: `exact`, by the second; `later`, where the
 * store has a lower bound of its own; `sooner`, where it may forget anything at any time.
 */
export type TtlHandling = "exact" | "later" | "sooner";

/** What a store promises. What is not stated is not promised. */
export interface StoreCaps {
  /** Whether a write can be made to depend on what is stored: then there is {@link Store.compareAndSet}. */
  readonly compareAndSet: boolean;
  /** Writes of one key per second that it takes; undefined for no bound. */
  readonly writesPerSecond: number | undefined;
  readonly ttl?: TtlHandling;
  /** Whether the keys under a prefix can be listed: then there is {@link Store.list}. */
  readonly list?: boolean;
}

/** A place for small texts that outlives an isolate. Every method may fail; only the hint is lost then. */
export interface Store {
  /** Names the kind of store in status documents. */
  readonly name: string;
  /** What it promises. */
  readonly caps: StoreCaps;
  /** The text under `key`, or null. It may be old. */
  get(key: string): Promise<string | null>;
  /** Puts `text` under `key`, whatever was there. It may be forgotten after `ttlSeconds`. */
  put(key: string, text: string, ttlSeconds: number): Promise<void>;
  /**
   * Puts `text` under `key` if `expected` is there, or nothing when `expected` is null. A text whose time has passed
   * counts as nothing.
   *
   * @returns Whether it was put. False says that another write came first; after a rejection nobody knows.
   */
  compareAndSet?(key: string, expected: string | null, text: string, ttlSeconds: number): Promise<boolean>;
  /** Keys that begin with `prefix`, in order. Keys that were just put or forgotten may be missing or too many. */
  list?(prefix: string): Promise<string[]>;
}
