// Indexes of the primary's log, as servers tell them: `replication_index`, a 64-bit number in decimal digits.
//
// They stay text: on the wire they are text, and two of them compare by length and then by letters, without a bigint.

/** Decimal digits without leading zeros, at most 2^64 - 1; empty for no index, which is before every other. */
export type LogIndex = string;

const GREATEST = "18446744073709551615";

/** The index that a server or a token names, or none: what is not one is never sent on. */
export function indexOf(value: unknown): LogIndex {
  const text = typeof value === "number" && Number.isSafeInteger(value) ? `${value}` : value;
  if (typeof text !== "string" || !/^(0|[1-9]\d{0,19})$/.test(text)) return "";
  return isBefore(GREATEST, text) ? "" : text;
}

/** Whether `a` is before `b`. */
export function isBefore(a: LogIndex, b: LogIndex): boolean {
  return a.length === b.length ? a < b : a.length < b.length;
}

/**
 * What a reader must be able to see: everything up to one index.
 *
 * A floor may stand on another one, as one request stands on its isolate: it then asks for the higher of the two, and
 * what is written through it raises both. Several endpoints of one database share one floor.
 */
export class Floor {
  readonly #below: Floor | undefined;
  #own: LogIndex;

  constructor(below?: Floor, own: LogIndex = "") {
    this.#below = below;
    this.#own = own;
  }

  /** The index that must be visible; empty when nothing is asked for. */
  get index(): LogIndex {
    const below = this.#below?.index ?? "";
    return isBefore(this.#own, below) ? below : this.#own;
  }

  /** Something was written, and is visible from `index` on. A lower index changes nothing. */
  raise(index: LogIndex): void {
    if (isBefore(this.#own, index)) this.#own = index;
    this.#below?.raise(index);
  }

  /** The log that held `old` is gone, and its successor has only come to `index`: to ask for `old` would be to wait for ever. */
  restart(old: LogIndex, index: LogIndex): void {
    if (!isBefore(this.#own, old)) this.#own = index;
    this.#below?.restart(old, index);
  }
}
