// Places in the primary's log, as servers tell them: `replication_index`, a 64-bit number in decimal digits.
//
// They stay text: on the wire they are text, and two of them compare by length and then by letters, without a bigint.

/** Decimal digits without leading zeros, at most 2^64 - 1; empty for no place, which is before every other. */
export type LogPlace = string;

const GREATEST = "18446744073709551615";

/** The place that a server or a token names, or none: what is not one is never sent on. */
export function placeOf(value: unknown): LogPlace {
  const text = typeof value === "number" && Number.isSafeInteger(value) ? `${value}` : value;
  if (typeof text !== "string" || !/^(0|[1-9]\d{0,19})$/.test(text)) return "";
  return isBefore(GREATEST, text) ? "" : text;
}

/** Whether `a` is before `b`. */
export function isBefore(a: LogPlace, b: LogPlace): boolean {
  return a.length === b.length ? a < b : a.length < b.length;
}

/**
 * What a reader must be able to see: everything up to one place.
 *
 * A floor may stand on another one, as one request stands on its isolate: it then asks for the higher of the two, and
 * what is written through it raises both. Several endpoints of one database share one floor.
 */
export class Floor {
  readonly #below: Floor | undefined;
  #own: LogPlace;

  constructor(below?: Floor, own: LogPlace = "") {
    this.#below = below;
    this.#own = own;
  }

  /** The place that must be visible; empty when nothing is asked for. */
  get place(): LogPlace {
    const below = this.#below?.place ?? "";
    return isBefore(this.#own, below) ? below : this.#own;
  }

  /** Something was written, and is visible from `place` on. A lower place changes nothing. */
  raise(place: LogPlace): void {
    if (isBefore(this.#own, place)) this.#own = place;
    this.#below?.raise(place);
  }

  /** The log that held `old` is gone, and its successor has only come to `place`: to ask for `old` would be to wait for ever. */
  restart(old: LogPlace, place: LogPlace): void {
    if (!isBefore(this.#own, old)) this.#own = place;
    this.#below?.restart(old, place);
  }
}
