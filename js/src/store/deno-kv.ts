// Deno KV: strongly consistent in one place, values of up to 64 KiB, atomic checks by versionstamp.

import { demandMethods } from "./checks.ts";
import type { Store } from "./store.ts";

/** A value as it is stored: Deno may keep it longer than it was asked to. */
interface Kept {
  text: string;
  untilMs: number;
}

/** An entry that was found, or the absence of one. */
export interface DenoKvEntry {
  key: readonly unknown[];
  value: unknown;
  versionstamp: string | null;
}

/** The part of a `Deno.Kv` that is used. */
export interface DenoKv {
  get(key: string[], options?: { consistency?: "strong" | "eventual" }): Promise<DenoKvEntry>;
  set(key: string[], value: unknown, options?: { expireIn?: number }): Promise<unknown>;
  list(selector: { start: string[]; end: string[] }): AsyncIterable<DenoKvEntry>;
  atomic(): DenoKvAtomic;
}

/** A change that is made whole or not at all. */
export interface DenoKvAtomic {
  check(...checks: { key: string[]; versionstamp: string | null }[]): DenoKvAtomic;
  set(key: string[], value: unknown, options?: { expireIn?: number }): DenoKvAtomic;
  commit(): Promise<{ ok: boolean }>;
}

/** First part of every key. */
const SPACE = "seawall";
/** Follows every other text that begins the same way. */
const LAST = "\u{10ffff}";

/**
 * Makes a store of an open Deno KV.
 *
 * @param options.consistency `eventual` reads from the nearest replica, which may be behind; `strong` by default.
 * @throws TypeError when `kv` is none: `await Deno.openKv()` first.
 */
export function denoKvStore(kv: DenoKv, options: { consistency?: "strong" | "eventual" } = {}): Store {
  demandMethods(kv, ["get", "set", "list", "atomic"], "denoKvStore", "what `await Deno.openKv()` gives");
  const consistency = options.consistency ?? "strong";
  return {
    name: "deno-kv",
    caps: { compareAndSet: true, writesPerSecond: undefined, ttl: "exact", list: true },
    get: async (key) => textOf(await kv.get([SPACE, key], { consistency })),
    async put(key, text, ttlSeconds) {
      await kv.set([SPACE, key], kept(text, ttlSeconds), { expireIn: msOf(ttlSeconds) });
    },
    async compareAndSet(key, expected, text, ttlSeconds) {
      const found = await kv.get([SPACE, key]);
      if (textOf(found) !== expected) return false;
      const change = kv.atomic().check({ key: [SPACE, key], versionstamp: found.versionstamp });
      const { ok } = await change.set([SPACE, key], kept(text, ttlSeconds), { expireIn: msOf(ttlSeconds) }).commit();
      return ok;
    },
    async list(prefix) {
      const keys: string[] = [];
      for await (const entry of kv.list({ start: [SPACE, prefix], end: [SPACE, `${prefix}${LAST}`] })) {
        if (textOf(entry) !== null) keys.push(String(entry.key[1]));
      }
      return keys.sort();
    },
  };
}

function textOf({ value }: DenoKvEntry): string | null {
  const { text, untilMs } = (value ?? {}) as Partial<Kept>;
  return typeof text === "string" && Date.now() < (untilMs ?? 0) ? text : null;
}

function kept(text: string, ttlSeconds: number): Kept {
  return { text, untilMs: Date.now() + msOf(ttlSeconds) };
}

function msOf(ttlSeconds: number): number {
  return Math.max(1, Math.round(ttlSeconds * 1_000));
}
