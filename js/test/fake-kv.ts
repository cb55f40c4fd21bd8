// Workers KV as its documentation has it, on the clock of the test: what workerd does not imitate.
//
// Each location answers from its own copy for `cacheTtl`, also when that copy says that there is nothing; a write is seen
// at once where it was made and elsewhere when the copy there has lapsed; a key takes one write a second; lists lag.

import type { KvNamespace, KvPage } from "../src/store/workers-kv.ts";

const CACHE_TTL_MIN_S = 30;
const EXPIRATION_TTL_MIN_S = 60;
const WRITE_INTERVAL_MS = 1_000;
/** How long a list may lack a key, in milliseconds. */
export const LIST_LAG_MS = 60_000;

interface Entry {
  text: string;
  putAt: number;
  until: number;
}

/** What a location remembers of a key, also that there was nothing. */
interface Copy {
  text: string | null;
  until: number;
}

/** One namespace, with as many locations as are asked for. */
export class FakeKv {
  readonly #entries = new Map<string, Entry>();
  readonly #listed = new Map<string, number>();
  readonly #copies = new Map<string, Map<string, Copy>>();
  /** Reads that went to the central store, writes that were taken, and writes that were refused. */
  readonly counts = { centralReads: 0, writes: 0, refused: 0 };

  /** The namespace as one data centre sees it. */
  at(location: string): Required<KvNamespace> {
    const copies = this.#copies.get(location) ?? new Map<string, Copy>();
    this.#copies.set(location, copies);
    return {
      get: async (key, { cacheTtl }) => {
        if (cacheTtl < CACHE_TTL_MIN_S) throw new Error(`KV GET failed: 400 Invalid cache_ttl of ${cacheTtl}`);
        const copy = copies.get(key);
        if (copy !== undefined && Date.now() < copy.until) return copy.text;
        this.counts.centralReads += 1;
        const text = this.#find(key);
        copies.set(key, { text, until: Date.now() + cacheTtl * 1_000 });
        return text;
      },
      put: async (key, text, { expirationTtl }) => {
        if (expirationTtl < EXPIRATION_TTL_MIN_S) {
          throw new Error(`KV PUT failed: 400 Invalid expiration_ttl of ${expirationTtl}`);
        }
        const now = Date.now();
        const putAt = this.#entries.get(key)?.putAt;
        if (putAt !== undefined && now - putAt < WRITE_INTERVAL_MS) {
          this.counts.refused += 1;
          throw new Error("KV PUT failed: 429 Too Many Requests");
        }
        this.counts.writes += 1;
        this.#entries.set(key, { text, putAt: now, until: now + expirationTtl * 1_000 });
        if (!this.#listed.has(key)) this.#listed.set(key, now + LIST_LAG_MS);
        copies.delete(key);
      },
      list: async ({ prefix }): Promise<KvPage> => {
        const isListed = ([name, at]: [string, number]) => name.startsWith(prefix) && Date.now() >= at;
        const keys = [...this.#listed].filter(isListed).map(([name]) => ({ name }));
        return { keys: keys.sort((a, b) => (a.name < b.name ? -1 : 1)), list_complete: true };
      },
    };
  }

  #find(key: string): string | null {
    const entry = this.#entries.get(key);
    return entry !== undefined && Date.now() < entry.until ? entry.text : null;
  }
}
