// The query cache of a client, made when it is first needed, and the hand on it.

import type { OperationOptions, SeawallOptions } from "../config/options.ts";
import type { Platform } from "../platform/platform.ts";
import { settingsOf } from "../settings.ts";
import { type CacheStats, QueryCache } from "./query-cache.ts";

/** The query cache, to look at and to empty. */
export interface CacheControls {
  stats(): CacheStats;
  /**
   * Forgets what was read from these tables, for when somebody else has written there; `"all"` for all tables. Names
   * are compared without regard to case.
   */
  invalidate(tables: string | readonly string[]): void;
  /** Forgets everything that is kept. Counts go on. */
  clear(): void;
}

const NOTHING: CacheStats = Object.freeze({
  entries: 0,
  bytes: 0,
  hits: 0,
  stale: 0,
  misses: 0,
  staleOnError: 0,
  shared: 0,
  loads: 0,
  evictions: 0,
});

export class ClientCache implements CacheControls {
  readonly #make: () => QueryCache;
  #cache: QueryCache | undefined;

  constructor(options: SeawallOptions, database: string, platform: Platform) {
    const related = relatedOf(options);
    this.#make = () => new QueryCache(settingsOf(options, database, platform), platform, related);
    const isGiven = options.given?.some(([path]) => path.startsWith("queryCache."));
    if (options.queryCache === undefined && options.enable_query_cache === undefined && !isGiven) return;
    const cache = this.#make();
    if (cache.isOn) this.#cache = cache;
  }

  /** The cache for an operation with these options; undefined while no operation has ever asked for one. */
  readonly cacheFor = (own: OperationOptions | undefined): QueryCache | undefined => {
    if (this.#cache === undefined && own?.cache !== undefined && own.cache !== false) this.#cache = this.#make();
    return this.#cache;
  };

  stats(): CacheStats {
    return this.#cache?.stats() ?? { ...NOTHING };
  }

  invalidate(tables: string | readonly string[]): void {
    this.#cache?.invalidate(tables);
  }

  clear(): void {
    this.#cache?.clear();
  }
}

/** @throws Error when they are no lists of names. */
function relatedOf({ queryCache }: SeawallOptions): readonly (readonly string[])[] {
  const related: unknown = queryCache?.related ?? [];
  const isList = Array.isArray(related) && related.every((group) => Array.isArray(group) && group.every(isName));
  if (isList) return related as string[][];
  throw new Error("invalid configuration: queryCache.related must be a list of lists of names of tables");
}

function isName(name: unknown): boolean {
  return typeof name === "string" && name !== "";
}
