// Where what operators order is kept, and what happened: see src/orders and src/records.
//
// A store of hints may forget and may be stale; a strong store does neither. All of its writes are swaps, so that no
// writer overwrites what it has not read.

/** A place for small texts that are never forgotten. Every method may fail; after a failed swap nobody knows. */
export interface StrongStore {
  /** Names the kind of store in status documents. */
  readonly name: string;
  /** The text under `key` as the last swap left it, or null. Never an older one. */
  read(key: string): Promise<string | null>;
  /**
   * Puts `text` under `key` if `expected` is there: whole or not at all, and only one of several at once. Null for
   * `expected` means nothing is there; null for `text` takes away what is.
   *
   * @returns Whether it was done. False says that something else is there.
   */
  swap(key: string, expected: string | null, text: string | null): Promise<boolean>;
  /** The keys that begin with `prefix`, in the order of their code units. */
  list(prefix: string): Promise<string[]>;
}
