// The near layer: the Cache API of Workers, one copy per data centre, which nobody pays for and which may forget.
//
// It does nothing on `*.workers.dev`, in the playground and behind Access: reads there find nothing, and that is all.

import { kindOf } from "./checks.ts";
import type { Store } from "./store.ts";

/** The part of a `Cache` that is used. */
export interface HintCache {
  match(url: string): Promise<Response | undefined>;
  put(url: string, response: Response): Promise<void>;
}

/** Which cache, and under which address. */
export interface CacheApiOptions {
  /** Opens a cache of this name; `caches.default` otherwise, where there is one. */
  name?: string;
  /** Takes its place. */
  cache?: HintCache;
  /** Where the texts pretend to be; `https://seawall.invalid` by default. Nothing is ever asked there. */
  origin?: string;
}

const NAME = "seawall";
const ORIGIN = "https://seawall.invalid";
/** Until when a text counts, in milliseconds since the epoch: not every cache minds `max-age`. */
const UNTIL = "x-seawall-until";

type Caches = { default?: HintCache; open(name: string): Promise<HintCache> };

/**
 * Makes a store of the Cache API, for `state.near`.
 *
 * @throws TypeError where there is no Cache API, or the origin is none.
 */
export function cacheApiStore(options: CacheApiOptions = {}): Store {
  const { caches } = globalThis as { caches?: Caches };
  if (options.cache === undefined && caches === undefined) {
    throw new TypeError("cacheApiStore: this runtime has no Cache API. Leave `near` out here, or give { cache }.");
  }
  const origin = originOf(options.origin ?? ORIGIN);
  const open = async (): Promise<HintCache> => {
    if (options.cache !== undefined) return options.cache;
    if (options.name === undefined && caches?.default !== undefined) return caches.default;
    return (caches as Caches).open(options.name ?? NAME);
  };
  const address = (key: string) => `${origin}/${encodeURIComponent(key)}`;
  return {
    name: "cache-api",
    caps: { compareAndSet: false, writesPerSecond: undefined, ttl: "sooner", list: false },
    async get(key) {
      const found = await (await open()).match(address(key));
      if (found === undefined) return null;
      const text = await found.text();
      return Date.now() < Number(found.headers.get(UNTIL)) ? text : null;
    },
    async put(key, text, ttlSeconds) {
      const headers = {
        "cache-control": `max-age=${Math.max(1, Math.ceil(ttlSeconds))}`,
        "content-type": "text/plain; charset=utf-8",
        [UNTIL]: String(Date.now() + ttlSeconds * 1_000),
      };
      await (await open()).put(address(key), new Response(text, { headers }));
    },
  };
}

function originOf(option: string): string {
  try {
    const { protocol, origin } = new URL(option);
    if (protocol === "https:" || protocol === "http:") return origin;
  } catch {}
  throw new TypeError(`cacheApiStore: origin is the beginning of a URL, as ${ORIGIN}; it got ${kindOf(option)}.`);
}
