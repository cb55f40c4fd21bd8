// Where what operators order is kept, and what happened: see src/orders and src/records.
//
// A store of hints may forget and may be stale; a strong store does neither. All of its writes are swaps, so that no
// writer overwrites what it has not read.

/** What a swap does to one key. */
export interface Change {
  readonly key: string;
  /** What must be there; null: nothing. */
  readonly expected: string | null;
  /** What is there afterwards; null: nothing. Where it is the same as `expected`, the swap only depends on it. */
  readonly text: string | null;
}

/** Most changes in one swap. */
export const CHANGES_MAX = 32;

/** A place for small texts that are never forgotten. Every method may fail; after a failed swap nobody knows. */
export interface StrongStore {
  /** Names the kind of store in status documents. */
  readonly name: string;
  /** The text under `key` as the last swap left it, or null. Never an older one. */
  read(key: string): Promise<string | null>;
  /**
   * Makes all `changes` at once if under each key there is what it expects; otherwise none. A reader, and whoever comes
   * after a crash, finds all of them or none, and of several swaps of one key at once only one is done.
   *
   * @param changes 1 to 32 of them, no two of one key.
   * @returns Whether it was done. False says that something else is there under one key at least, and nothing was written.
   */
  swap(changes: readonly Change[]): Promise<boolean>;
  /** The keys that begin with `prefix`, in the order of their code units. */
  list(prefix: string): Promise<string[]>;
}

/**
 * Fails unless these are changes that a swap may make.
 *
 * @throws TypeError that says what is wrong; it holds no text.
 */
export function checkChanges(changes: readonly Change[]): void {
  if (!Array.isArray(changes) || changes.length < 1 || changes.length > CHANGES_MAX) {
    throw new TypeError(`swap takes a list of 1 to ${CHANGES_MAX} changes: [{ key, expected, text }]`);
  }
  const isText = (text: unknown) => text === null || typeof text === "string";
  for (const { key, expected, text } of changes) {
    if (typeof key !== "string" || key === "")
      throw new TypeError("swap: the key of a change is a text, and not empty");
    if (!isText(expected) || !isText(text))
      throw new TypeError("swap: expected and text are texts, or null for nothing");
  }
  if (new Set(changes.map(({ key }) => key)).size < changes.length) {
    throw new TypeError("swap: no two changes are of one key");
  }
}
