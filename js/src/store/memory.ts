// A store that lives as long as the process: for tests, and for servers that share one process.

import type { Store } from "./store.ts";
import { checkChanges, type StrongStore } from "./strong.ts";

/** Above this many keys the one that was put longest ago makes room. */
const ENTRIES_MAX = 1_000;

/** Makes a store in memory. Share the object between clients to share what they learn. */
export function memoryStore(): Store {
  const entries = new Map<string, { text: string; until: number }>();
  const find = (key: string): string | null => {
    const entry = entries.get(key);
    return entry !== undefined && Date.now() < entry.until ? entry.text : null;
  };
  const keep = (key: string, text: string, ttlSeconds: number) => {
    entries.delete(key);
    entries.set(key, { text, until: Date.now() + ttlSeconds * 1_000 });
    if (entries.size <= ENTRIES_MAX) return;
    for (const oldest of entries.keys()) {
      entries.delete(oldest);
      break;
    }
  };
  return {
    name: "memory",
    caps: { compareAndSet: true, writesPerSecond: undefined, ttl: "exact", list: true },
    get: async (key) => find(key),
    put: async (key, text, ttlSeconds) => keep(key, text, ttlSeconds),
    async compareAndSet(key, expected, text, ttlSeconds) {
      if (find(key) !== expected) return false;
      keep(key, text, ttlSeconds);
      return true;
    },
    list: async (prefix) => [...entries.keys()].filter((key) => key.startsWith(prefix) && find(key) !== null).sort(),
  };
}

/** Makes a strong store in memory: for tests. What it holds is gone with the process. */
export function strongMemoryStore(): StrongStore {
  const texts = new Map<string, string>();
  return {
    name: "memory",
    read: async (key) => texts.get(key) ?? null,
    async swap(changes) {
      checkChanges(changes);
      if (changes.some(({ key, expected }) => (texts.get(key) ?? null) !== expected)) return false;
      for (const { key, text } of changes) {
        if (text === null) texts.delete(key);
        else texts.set(key, text);
      }
      return true;
    },
    list: async (prefix) => [...texts.keys()].filter((key) => key.startsWith(prefix)).sort(),
  };
}
