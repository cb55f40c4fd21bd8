// Workers KV: one write a second per key, a minute or more to propagate, missing keys cached as well.

import type { Store } from "./store.ts";

/** The part of a `KVNamespace` that is used. */
export interface KvNamespace {
  get(key: string, options: { type: "text"; cacheTtl: number }): Promise<string | null>;
  put(key: string, value: string, options: { expirationTtl: number }): Promise<void>;
}

/** KV's own lower bounds, in seconds. */
const CACHE_TTL_MIN_S = 30;
const EXPIRATION_TTL_MIN_S = 60;

/**
 * Makes a store of a KV binding.
 *
 * @param options.cacheTtl Seconds for which the edge may answer from its own copy; at least 30, the default.
 */
export function workersKvStore(namespace: KvNamespace, options: { cacheTtl?: number } = {}): Store {
  const cacheTtl = Math.max(CACHE_TTL_MIN_S, options.cacheTtl ?? CACHE_TTL_MIN_S);
  return {
    name: "workers-kv",
    caps: { compareAndSet: false, writesPerSecond: 1 },
    get: (key) => namespace.get(key, { type: "text", cacheTtl }),
    put: (key, text, ttlSeconds) =>
      namespace.put(key, text, { expirationTtl: Math.max(EXPIRATION_TTL_MIN_S, ttlSeconds) }),
  };
}
