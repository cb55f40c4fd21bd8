// Steady traffic to isolates, and what came of it.
import { performance } from "node:perf_hooks";

const PER_SECOND = 20;
/** An isolate with this many requests under way gets no more for the moment. */
const UNDER_WAY_MAX = 40;

/** What came of an isolate's requests. */
export class Tally {
  served = 0;
  refused = 0;
  failed = 0;
  /** @type {number[]} */
  durations = [];

  get total() {
    return this.served + this.refused + this.failed;
  }

  /** Half of the requests took at most this many milliseconds. */
  get medianMs() {
    const sorted = this.durations.toSorted((left, right) => left - right);
    return sorted[sorted.length >> 1] ?? 0;
  }
}

/**
 * Sends one query to an isolate and counts what came of it.
 *
 * @param {import("./world.mjs").World} world
 * @param {string} isolate
 * @param {Tally} tally
 */
export async function query(world, isolate, tally) {
  const began = performance.now();
  try {
    const response = await world.ask(isolate);
    const body = await response.json();
    if (response.ok) tally.served += 1;
    else if (body.code === "CIRCUIT_OPEN") tally.refused += 1;
    else tally.failed += 1;
  } catch {
    tally.failed += 1;
  }
  tally.durations.push(performance.now() - began);
}

/** Sends queries to isolates until it is stopped. */
export class Traffic {
  /** Isolate to what came of its requests since {@link Traffic.take}. @type {Map<string, Tally>} */
  #tallies = new Map();
  /** @type {Map<string, number>} */
  #underWay = new Map();
  #world;
  #timer;

  /** @param {import("./world.mjs").World} world @param {string[]} isolates */
  constructor(world, isolates) {
    this.#world = world;
    for (const isolate of isolates) this.add(isolate);
    this.#timer = setInterval(() => this.#send(), 1_000 / PER_SECOND);
  }

  get isolates() {
    return [...this.#tallies.keys()];
  }

  /** @param {string} isolate */
  add(isolate) {
    this.#tallies.set(isolate, new Tally());
  }

  /** What came of an isolate's requests since the last call. @param {string} isolate */
  take(isolate) {
    const tally = this.#tallies.get(isolate) ?? new Tally();
    this.#tallies.set(isolate, new Tally());
    return tally;
  }

  stop() {
    clearInterval(this.#timer);
  }

  #send() {
    for (const isolate of this.#tallies.keys()) {
      const underWay = this.#underWay.get(isolate) ?? 0;
      if (underWay >= UNDER_WAY_MAX) continue;
      this.#underWay.set(isolate, underWay + 1);
      this.#one(isolate);
    }
  }

  /** @param {string} isolate */
  async #one(isolate) {
    const tally = new Tally();
    await query(this.#world, isolate, tally);
    this.#underWay.set(isolate, (this.#underWay.get(isolate) ?? 1) - 1);
    const sum = this.#tallies.get(isolate);
    if (sum === undefined) return;
    sum.served += tally.served;
    sum.refused += tally.refused;
    sum.failed += tally.failed;
    sum.durations.push(...tally.durations);
  }
}
