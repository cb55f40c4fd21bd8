// Tables by number: a set of them crosses the boundary as 64 bits in two halves.

/** A set of tables. */
export interface TableSet {
  readonly low: number;
  readonly high: number;
}

/** Of a statement that says too little of itself. */
export const ALL_TABLES: TableSet = { low: 0xffff_ffff, high: 0xffff_ffff };

const BITS = 64;
/** Tables that are told apart. Further ones count as the last bit. */
const TABLES_MAX = 4_096;

/** Gives each table a bit. From the 65th on they share bits, and a write to one drops what was read from all of them. */
export class Tables {
  readonly #bits = new Map<number, number>();

  /** Tables of one group change together: they share a bit. */
  constructor(groups: Iterable<readonly number[]> = []) {
    for (const group of groups) {
      const bits = new Set(group.map((table) => this.#bitOf(table)));
      const [shared = 0] = bits;
      // Groups that have a table in common are one.
      for (const [table, bit] of this.#bits) if (bits.has(bit)) this.#bits.set(table, shared);
    }
  }

  /** The set of these tables, each given by the core's number for its name. */
  setOf(tables: Iterable<number>): TableSet {
    let low = 0;
    let high = 0;
    for (const table of tables) {
      const bit = this.#bitOf(table);
      if (bit < 32) low |= 1 << bit;
      else high |= 1 << (bit - 32);
    }
    return { low: low >>> 0, high: high >>> 0 };
  }

  #bitOf(table: number): number {
    const known = this.#bits.get(table);
    if (known !== undefined) return known;
    if (this.#bits.size >= TABLES_MAX) return BITS - 1;
    const bit = this.#bits.size % BITS;
    this.#bits.set(table, bit);
    return bit;
  }
}
