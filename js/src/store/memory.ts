// A store that lives as long as the process: for tests, and for servers that share one process.

import type { Store } from "./store.ts";

/** Makes a store in memory. Share the object between clients to share what they learn. */
export function memoryStore(): Store {
  const entries = new Map<string, { text: string; until: number }>();
  return {
    name: "memory",
    caps: { compareAndSet: true, writesPerSecond: undefined },
    async get(key) {
      const entry = entries.get(key);
      return entry !== undefined && Date.now() < entry.until ? entry.text : null;
    },
    async put(key, text, ttlSeconds) {
      entries.set(key, { text, until: Date.now() + ttlSeconds * 1_000 });
    },
  };
}
