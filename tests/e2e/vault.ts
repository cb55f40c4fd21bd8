// The strong stores of both hosts past the routes: looked into, changed by somebody who has no business there, and failing.
import { strongMemoryStore } from "../../js/src/store/memory.ts";
import type { Store } from "../../js/src/store/store.ts";
import type { StrongStore } from "../../js/src/store/strong.ts";
import { Cache, type Mood } from "./workers/cache.ts";

/** What a store does instead: says 429, throws, never answers, or does what it was asked and throws. */
export type Fault = "refused" | "throws" | "hangs" | "lost";

/** What it does so with. */
export type Failing = readonly ("read" | "readAll" | "list" | "swap")[];

export interface Vault {
  read(key: string): Promise<string | null>;
  list(prefix: string): Promise<string[]>;
  /** Puts a text there, or takes it away, whatever is there. */
  put(key: string, text: string | null): Promise<void>;
  /** Has the next `times` of these fail; 0 for none. */
  fail(fault: Fault, asks: Failing, times: number): Promise<void>;
  /** How the read cache is from now on. */
  cacheIs(mood: Mood): Promise<void>;
}

/** Stores in memory for the monitor in Node, and what is behind them. */
export function memoryVault(): { store: StrongStore; cache: Store; vault: Vault } {
  const real = strongMemoryStore();
  const cache = new Cache();
  let [fault, asks, left]: [Fault, Failing, number] = ["throws", [], 0];
  const failing = async <T>(ask: Failing[number], work: () => Promise<T>): Promise<T> => {
    // The monitor reads many one by one.
    if (left === 0 || !asks.includes(ask)) return work();
    left -= 1;
    if (fault === "lost") await work();
    // As all stores do that wait for somebody.
    if (fault === "hangs") await new Promise((resolve) => setTimeout(resolve, 100));
    throw new Error(fault === "refused" ? "the store answered: HTTP 429" : "the store did not answer");
  };
  return {
    store: {
      name: "faulty",
      read: (key) => failing("read", () => real.read(key)),
      swap: (changes) => failing("swap", () => real.swap(changes)),
      list: (prefix) => failing("list", () => real.list(prefix)),
    },
    cache: {
      name: "moody",
      caps: { compareAndSet: false, writesPerSecond: undefined },
      get: async (key) => cache.get(key),
      put: async (key, text) => cache.put(key, text),
    },
    vault: {
      cacheIs: async (mood) => cache.become(mood),
      read: real.read,
      list: real.list,
      async put(key, text) {
        await real.swap([{ key, expected: await real.read(key), text }]);
      },
      async fail(...how) {
        [fault, asks, left] = how;
      },
    },
  };
}

/** The same of the Worker's Durable Object, by way of the Worker in workers/vault.ts at `url`. */
export function workerVault(url: URL): Vault {
  const post = (path: string, body: unknown) =>
    fetch(new URL(path, url), { method: "POST", body: JSON.stringify(body) });
  const ask = async (question: object) => (await (await post("/", question)).json()) as Record<string, unknown>;
  const read = async (key: string) => (await ask({ ask: "read", key })).text as string | null;
  return {
    read,
    list: async (prefix) => (await ask({ ask: "list", prefix })).keys as string[],
    async put(key, text) {
      const { swapped } = await ask({ ask: "swap", changes: [{ key, expected: await read(key), text }] });
      if (swapped !== true) throw new Error(`${key} was not put`);
    },
    async fail(fault, asks, times) {
      await post("/fail", { fault, asks, times });
    },
    async cacheIs(mood) {
      await post("/cache", mood);
    },
  };
}
