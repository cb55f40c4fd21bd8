// Mixed load: users who read, write, batch, transact, err, abort and leave, each at a pace of its own.
import { setTimeout as pause } from "node:timers/promises";
import { askOnce } from "./load.mjs";

/** The longest that a user thinks between two calls, in milliseconds. */
const THINK_MS = 200;
/** The longest after which a caller leaves or aborts, or pauses within a transaction, in milliseconds. */
const HESITATION_MS = 30;

/**
 * What a user may do, how often (of 1,000), and how it asks. `anyMs` draws a hesitation.
 *
 * @typedef {{ often: number, kind: string, ask(id: string, anyMs: () => number): import("./load.mjs").Question }} Deed
 */

/** @type {readonly Deed[]} */
const DEEDS = [
  { often: 300, kind: "read", ask: () => ({}) },
  { often: 50, kind: "rows", ask: () => ({}) },
  { often: 200, kind: "write", ask: (id) => ({ id }) },
  { often: 100, kind: "batch", ask: (id) => ({ id }) },
  { often: 100, kind: "transaction", ask: (id, anyMs) => ({ id, query: { pauseMs: anyMs() } }) },
  { often: 40, kind: "transaction", ask: (id) => ({ id, isUndone: true, query: { end: "rollback" } }) },
  { often: 60, kind: "mistake", ask: () => ({}) },
  { often: 60, kind: "abort", ask: (id, anyMs) => ({ id, query: { pauseMs: 1 + anyMs() } }) },
  { often: 45, kind: "write", ask: (id, anyMs) => ({ id, leaveMs: 1 + anyMs() }) },
  { often: 40, kind: "read", ask: (_, anyMs) => ({ leaveMs: 1 + anyMs() }) },
  // Few: each can hold the database's one write lock until the server takes it back after 5 s.
  { often: 4, kind: "transaction", ask: (id, anyMs) => ({ id, leaveMs: 1 + anyMs(), query: { pauseMs: anyMs() } }) },
  { often: 1, kind: "transaction", ask: (id) => ({ id, isUndone: true, query: { end: "leave" } }) },
];

/** Of the Worker that only watches. @type {readonly Deed[]} */
const WATCHING = [
  { often: 850, kind: "api/health", ask: () => ({}) },
  { often: 150, kind: "api/health", ask: (_, anyMs) => ({ leaveMs: 1 + anyMs() }) },
];

/** Chance that can be repeated. (mulberry32) @param {number} seed @returns {() => number} From 0 to below 1. */
export function chance(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Users at work until they are stopped. */
export class Mixture {
  /** @type {import("./load.mjs").Call[]} */
  calls = [];
  #isStopped = false;
  #asked = 0;
  #fleet;
  #random;
  #users;

  /**
   * @param {import("./fleet.mjs").Fleet} fleet
   * @param {number} usersPerIsolate
   * @param {() => number} random
   */
  constructor(fleet, usersPerIsolate, random) {
    this.#fleet = fleet;
    this.#random = random;
    this.#users = fleet.all.flatMap((isolate) => Array.from({ length: usersPerIsolate }, () => this.#work(isolate)));
  }

  /** Stops the users, and waits for what they asked. */
  async stop() {
    this.#isStopped = true;
    await Promise.all(this.#users);
    return this.calls;
  }

  /** @param {string} isolate */
  async #work(isolate) {
    const random = this.#random;
    const anyMs = () => Math.floor(random() * HESITATION_MS);
    while (!this.#isStopped) {
      const { kind, ask } = this.#deed(isolate === this.#fleet.watcher ? WATCHING : DEEDS);
      this.#asked += 1;
      this.calls.push(await askOnce(this.#fleet, isolate, kind, ask(`${isolate}-${this.#asked}`, anyMs)));
      await pause(random() * THINK_MS);
    }
  }

  /** @param {readonly Deed[]} deeds @returns {Deed} */
  #deed(deeds) {
    let left = this.#random() * deeds.reduce((sum, { often }) => sum + often, 0);
    const chosen = deeds.find(({ often }) => {
      left -= often;
      return left < 0;
    });
    return /** @type {Deed} */ (chosen ?? deeds[0]);
  }
}
