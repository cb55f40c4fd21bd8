// The core's part of the query cache: decisions by number. Nothing here throws.

import { coreGeneration, liveGeneration, replaceCore } from "../core.ts";
import * as wasm from "../generated/core.js";
import type { Settings } from "../settings.ts";
import { isTrap } from "../trap.ts";
import type { TableSet } from "./tables.ts";

/** What {@link CacheHandle.decide} answers; from `Wait` on, so many milliseconds more than that. */
export const Access = { Serve: 0, ServeStale: 1, ServeStaleAndLoad: 2, Load: 3, Wait: 4 } as const;

/** How a write ended. */
export const Written = { Nothing: 0, Something: 1, Unknown: 2 } as const;
export type Written = (typeof Written)[keyof typeof Written];

/** What is counted, by its number. */
export const Count = { Entries: 1, Bytes: 2, Hits: 3, Stale: 4, Misses: 5, Evictions: 6 } as const;

const Tell = { Began: 0, Lives: 1, Left: 2, Forgotten: 3 } as const;
const INVALIDATED = 3;
const GONE = 0;
const IS_ON = 7;
const LEAD_MS = 8;

/** The core's part. One that trapped, or whose instance was replaced, is dead: everything is loaded, nothing kept. */
export class CacheHandle {
  /** Whether reads are kept without being asked for each. */
  readonly isOn: boolean;
  /** For how long a load leads that is not heard of, in milliseconds. */
  readonly leadMs: number;
  readonly #cache: wasm.QueryCache;
  readonly #generation = liveGeneration();
  #isTrapped = false;

  /** @throws Error that names every setting that cannot be used. */
  constructor({ lines, numbers, database }: Settings) {
    this.#cache = new wasm.QueryCache(lines, numbers, database);
    this.isOn = this.#cache.take(IS_ON) !== 0;
    this.leadMs = this.#cache.take(LEAD_MS);
  }

  get isDead(): boolean {
    return this.#isTrapped || this.#generation !== coreGeneration();
  }

  decide(slot: number, caller: number, isAgain: boolean, nowMs: number): number {
    try {
      return this.#cache.decide(slot, caller, isAgain, nowMs);
    } catch (error) {
      return this.#trapped(error, Access.Load);
    }
  }

  assign(slot: number, tables: TableSet): void {
    this.#ask((cache) => cache.assign(slot, tables.low, tables.high), undefined);
  }

  /** What {@link CacheHandle.loaded} must be told of a load that begins. */
  began(now: number): number {
    return this.#ask((cache) => cache.tell(Tell.Began, 0, 0, now), 0);
  }

  /** Whether the value is kept. A negative `ttl` or `stale` is the setting's. */
  loaded(slot: number, caller: number, since: number, bytes: number, ttl: number, stale: number, now: number): boolean {
    return this.#ask((cache) => cache.loaded(slot, caller, since, bytes, ttl, stale, now), false);
  }

  /** Whether the value there is serves all who wait. */
  failed(slot: number, caller: number, judgement: number, now: number): boolean {
    return this.#ask((cache) => cache.failed(slot, caller, judgement, now), false);
  }

  /** Whether it still leads. */
  lives(slot: number, caller: number, now: number): boolean {
    return this.#ask((cache) => cache.tell(Tell.Lives, slot, caller, now), 0) !== 0;
  }

  left(slot: number, caller: number, now: number): void {
    this.#ask((cache) => cache.tell(Tell.Left, slot, caller, now), 0);
  }

  /** Forgets what is kept under this slot, and stays with its tables. */
  forget(slot: number): void {
    this.#ask((cache) => cache.tell(Tell.Forgotten, slot, 0, 0), 0);
  }

  beginWrite(tables: TableSet, now: number): number {
    return this.#ask((cache) => cache.beginWrite(tables.low, tables.high, now), 0);
  }

  endWrite(id: number, tables: TableSet, written: Written): void {
    this.#ask((cache) => cache.endWrite(id, tables.low, tables.high, written), undefined);
  }

  invalidate(tables: TableSet): void {
    this.#ask((cache) => cache.endWrite(0, tables.low, tables.high, INVALIDATED), undefined);
  }

  /** The next slot whose value must go, or -1. */
  takeGone(): number {
    return this.#ask((cache) => cache.take(GONE), -1);
  }

  count(which: (typeof Count)[keyof typeof Count]): number {
    return this.#ask((cache) => cache.take(which), 0);
  }

  #ask<T>(what: (cache: wasm.QueryCache) => T, otherwise: T): T {
    if (this.isDead) return otherwise;
    try {
      return what(this.#cache);
    } catch (error) {
      return this.#trapped(error, otherwise);
    }
  }

  #trapped<T>(error: unknown, answer: T): T {
    if (isTrap(error)) replaceCore(this.#generation);
    this.#isTrapped = true;
    return answer;
  }
}
