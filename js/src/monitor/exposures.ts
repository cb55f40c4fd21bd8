// What flags of the application have served, added up over all of them: it only grows. And to whom, where that is not as it should be.

import type { SplitMismatch } from "../flags/reports.ts";

/** Flags as `createFlags` makes them. */
export interface ExposureSource {
  /** How often each variant was served since they were made. */
  exposures(): readonly Exposure[];
  /** Flags whose users were not split as their rules say; throws where nobody can tell. */
  mismatches?(): readonly SplitMismatch[];
}

/** How often a variant of a flag was served. Without a name where what was served has none. */
export interface Exposure {
  readonly flag: string;
  readonly variant: string;
  readonly count: number;
}

/** Most flags that are watched. */
const SOURCES_MAX = 100;
/** Most pairs of flag and variant; what comes after is `other`. */
const PAIRS_MAX = 1_000;
const OTHER = "other";
/** Most mismatches that are told. */
const MISMATCHES_MAX = 20;
/** They are looked for so often at most: it is a test over all that was sampled. */
const MISMATCHES_EVERY_MS = 10_000;

/** Adds up what was served since it was last asked, so that neither the end of a source nor its beginning anew takes any back. */
export class ExposureWatch {
  /** What each source said last, by flag and variant. */
  readonly #sources = new Map<ExposureSource, Map<string, number>>();
  readonly #counts = new Map<string, { flag: string; variant: string; count: number }>();
  #mismatches: readonly SplitMismatch[] = [];
  #lookedAt: number | undefined;

  /** @throws TypeError for what has no exposures, RangeError at the hundred-and-first. */
  watch(source: ExposureSource): () => void {
    if (typeof source?.exposures !== "function") {
      throw new TypeError("monitor.watchFlags(flags): give it what createFlags returned");
    }
    if (this.#sources.size >= SOURCES_MAX && !this.#sources.has(source)) {
      throw new RangeError(`${SOURCES_MAX} flags are the most. Make them once, outside of requests`);
    }
    if (!this.#sources.has(source)) this.#sources.set(source, new Map());
    return () => {
      const told = this.#sources.get(source);
      if (told === undefined) return;
      this.#take(source, told);
      this.#sources.delete(source);
    };
  }

  /** What all of them have served so far. */
  counts(): readonly Exposure[] {
    for (const [source, told] of this.#sources) this.#take(source, told);
    return [...this.#counts.values()];
  }

  /** The flags whose users were not split as their rules say, as it was found at most ten seconds ago. */
  mismatches(nowMs: number): readonly SplitMismatch[] {
    const since = nowMs - (this.#lookedAt ?? Number.NEGATIVE_INFINITY);
    if (since >= 0 && since < MISMATCHES_EVERY_MS) return this.#mismatches;
    this.#lookedAt = nowMs;
    this.#mismatches = [...this.#sources.keys()].flatMap(mismatchesOf).slice(0, MISMATCHES_MAX);
    return this.#mismatches;
  }

  #take(source: ExposureSource, told: Map<string, number>): void {
    for (const { flag, variant, count } of source.exposures()) {
      const key = JSON.stringify([flag, variant]);
      const before = told.get(key) ?? 0;
      if (!(Number.isSafeInteger(count) && count >= 0) || count === before) continue;
      told.set(key, count);
      // Less than before: it began anew.
      this.#add(key, flag, variant, count > before ? count - before : count);
    }
  }

  #add(key: string, flag: string, variant: string, more: number): void {
    const isFull = this.#counts.size >= PAIRS_MAX && !this.#counts.has(key);
    const [name, counted] = isFull ? [OTHER, { flag: OTHER, variant: OTHER }] : [key, { flag, variant }];
    const known = this.#counts.get(name);
    if (known !== undefined) known.count += more;
    else this.#counts.set(name, { ...counted, count: more });
  }
}

/** None of flags that cannot tell: those of `seawall/flags/snapshot`, and of versions before. */
function mismatchesOf(source: ExposureSource): readonly SplitMismatch[] {
  try {
    return source.mismatches?.() ?? [];
  } catch {
    return [];
  }
}
