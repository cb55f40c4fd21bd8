// How often each variant was served, by name: the core counts by place, and places change with every edition of definitions.

/** How often a variant of a flag was served. */
export interface FlagExposure {
  readonly flag: string;
  readonly variant: string;
  /** Since these flags were made. It never falls. */
  readonly count: number;
}

/** Most variants that are counted: what comes later is left out. */
const VARIANTS_MAX = 10_000;

/** Sums by flag and variant. */
export class ExposureTotals {
  readonly #counts = new Map<string, Map<string, number>>();
  #size = 0;

  /** Adds what was counted: three numbers each, the flag's place, the variant's place, and how often. */
  add(counted: Uint32Array, nameOf: (flag: number, variant: number) => readonly [string, string]): void {
    for (let at = 0; at < counted.length; at += 3) {
      const [place = 0, variantPlace = 0, count = 0] = counted.subarray(at, at + 3);
      const [flag, variant] = nameOf(place, variantPlace);
      const variants = this.#counts.get(flag) ?? new Map<string, number>();
      const before = variants.get(variant);
      if (before === undefined) {
        if (this.#size >= VARIANTS_MAX) continue;
        this.#size += 1;
        this.#counts.set(flag, variants);
      }
      variants.set(variant, (before ?? 0) + count);
    }
  }

  list(): readonly FlagExposure[] {
    return [...this.#counts].flatMap(([flag, variants]) =>
      [...variants].map(([variant, count]) => ({ flag, variant, count })),
    );
  }
}
