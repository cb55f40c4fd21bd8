// Workers KV: one write a second per key, a minute or more to propagate, missing keys cached as well.

import { demandMethods } from "./checks.ts";
import type { Store } from "./store.ts";

/** The part of a `KVNamespace` that is used. */
export interface KvNamespace {
  get(key: string, options: { type: "text"; cacheTtl: number }): Promise<string | null>;
  put(key: string, value: string, options: { expirationTtl: number }): Promise<void>;
  list?(options: { prefix: string; cursor?: string }): Promise<KvPage>;
}

/** One page of keys. It may be empty and not the last. */
export interface KvPage {
  keys: { name: string }[];
  list_complete: boolean;
  cursor?: string;
}

/** KV's own lower bounds, in seconds. */
const CACHE_TTL_MIN_S = 30;
const EXPIRATION_TTL_MIN_S = 60;
/** Pages of a list; each is paid for and has up to a thousand keys. */
const PAGES_MAX = 100;

/**
 * Makes a store of a KV binding.
 *
 * @param options.cacheTtl Seconds for which the edge may answer from its own copy; at least 30, the default.
 * @throws TypeError when it is given no namespace: the binding is missing in the Worker's configuration.
 */
export function workersKvStore(namespace: KvNamespace, options: { cacheTtl?: number } = {}): Store {
  demandMethods(namespace, ["get", "put"], "workersKvStore", "a KV namespace, as it is bound to the Worker");
  const cacheTtl = Math.max(CACHE_TTL_MIN_S, options.cacheTtl ?? CACHE_TTL_MIN_S);
  return {
    name: "workers-kv",
    caps: { compareAndSet: false, writesPerSecond: 1, ttl: "later", list: typeof namespace.list === "function" },
    get: async (key) => namespace.get(key, { type: "text", cacheTtl }),
    put: async (key, text, ttlSeconds) =>
      namespace.put(key, text, { expirationTtl: Math.max(EXPIRATION_TTL_MIN_S, Math.ceil(ttlSeconds)) }),
    ...(typeof namespace.list === "function" && { list: (prefix: string) => keysOf(namespace, prefix) }),
  };
}

async function keysOf(namespace: KvNamespace, prefix: string): Promise<string[]> {
  const names: string[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < PAGES_MAX; pages += 1) {
    const page = await namespace.list?.(cursor === undefined ? { prefix } : { prefix, cursor });
    names.push(...(page?.keys ?? []).map(({ name }) => name));
    if (page === undefined || page.list_complete || page.cursor === undefined) break;
    cursor = page.cursor;
  }
  return names.sort();
}
