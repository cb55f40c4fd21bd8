// Answers what the routes ask of the strong store and its read cache.

import type { Store } from "../store/store.ts";
import { checkChanges, type StrongStore } from "../store/strong.ts";
import type { Answer, Question } from "./exchange.ts";

/** What the routes ask of it. */
export type StrongQuestion = Extract<
  Question,
  { ask: "read" | "readAll" | "swap" | "list" | "readCached" | "putCached" }
>;

/** A read cache that was not told for so long asks the strong store instead, in seconds. */
const CACHED_S = 30 * 24 * 3_600;
/** The cache's keys begin with it: hints may lie beside them. As src/worker/kv.rs has it. */
const CACHE_PREFIX = "seawall/";

/** A strong store, and what follows it. */
export class StrongHost {
  readonly #store: StrongStore | undefined;
  readonly #cache: Store | undefined;

  /** @throws TypeError that names what is no store. */
  constructor(store: StrongStore | undefined, cache: Store | undefined) {
    if (store !== undefined && !hasAll(store, ["read", "swap", "list"])) {
      throw new TypeError(
        "createMonitor: store must be a strong store, such as strongRedisStore(…) or durableObjectStore(…); a store of hints may forget.",
      );
    }
    if (cache !== undefined && !hasAll(cache, ["get", "put"])) {
      throw new TypeError("createMonitor: cache must be a store of hints, such as workersKvStore(env.SEAWALL_KV).");
    }
    this.#store = store;
    this.#cache = cache;
  }

  /** Never rejects. */
  async answer(question: StrongQuestion): Promise<Answer> {
    try {
      return await this.#answered(question);
    } catch (error) {
      return { failed: error instanceof Error ? error.message : "The store failed." };
    }
  }

  async #answered(question: StrongQuestion): Promise<Answer> {
    switch (question.ask) {
      case "readCached":
        return { text: (await this.#cache?.get(CACHE_PREFIX + question.key)) ?? null };
      case "putCached":
        await this.#cache?.put(CACHE_PREFIX + question.key, question.text, CACHED_S);
        return { cached: this.#cache !== undefined };
    }
    const store = this.#store;
    if (store === undefined) return { noStore: "This monitor has no strong store: give createMonitor a store." };
    switch (question.ask) {
      case "read":
        return { text: await store.read(question.key) };
      case "readAll":
        return { texts: await Promise.all(question.keys.map((key) => store.read(key))) };
      case "swap":
        checkChanges(question.changes);
        return { swapped: await store.swap(question.changes) };
      case "list":
        return { keys: await store.list(question.prefix) };
    }
  }
}

function hasAll(value: unknown, methods: string[]): boolean {
  const found = value as Record<string, unknown> | null;
  return typeof found === "object" && found !== null && methods.every((name) => typeof found[name] === "function");
}
