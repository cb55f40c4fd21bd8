// Where isolates leave hints for each other.

/** A place for small texts that outlives an isolate. Every method may fail; only the hint is lost then. */
export interface Store {
  /** Names the kind of store in status documents. */
  readonly name: string;
  /** What it promises. */
  readonly caps: {
    /** Whether a write can be made to depend on what is stored. */
    readonly compareAndSet: boolean;
    /** Writes of one key per second that it takes; undefined for no bound. */
    readonly writesPerSecond: number | undefined;
  };
  /** The text under `key`, or null. It may be old. */
  get(key: string): Promise<string | null>;
  /** Puts `text` under `key`. It may be forgotten after `ttlSeconds`. */
  put(key: string, text: string, ttlSeconds: number): Promise<void>;
}
