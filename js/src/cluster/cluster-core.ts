// The cluster's core: numbers in, numbers out, and never an exception.

import { coreGeneration, liveGeneration, replaceCore } from "../core.ts";
import * as wasm from "../generated/core.js";
import type { Settings } from "../settings.ts";
import { isTrap } from "../trap.ts";

/** Kinds of steps. `FailOpen` is never the core's: it has trapped, and the operation goes to the primary. */
export const Kind = { Target: 0, Refuse: 1, Done: 2, FailOpen: 3 } as const;
/** Places in the register after a step. */
export const Place = { TimeoutMs: 0, Detail: 1, Targets: 2, RetryAtMs: 3, TimeMs: 4 } as const;
/** How a route ended. */
export const Ending = { AsReported: 0, Exhausted: 1, Late: 2 } as const;
/** What a report adds to the number of a code. */
export const REFUSED = 1 << 12;
export const UNKNOWN = 1 << 8;
/** Bit of a question: one target only. */
export const NO_FAILOVER = 2 ** 31;

/** Places in the register after `look`. */
export const Fact = {
  Health: 0,
  Pending: 1,
  EstimateMs: 2,
  AwayUntilMs: 3,
  Index: 4,
  Reads: 5,
  Writes: 6,
  Failures: 7,
  Refusals: 8,
  MovedOn: 9,
  Ejections: 10,
} as const;

const REGISTER_LENGTH = 11;

/** The parts of a step. */
export const kindOf = (step: number): number => step & 3;
export const hasChanged = (step: number): boolean => (step & 4) !== 0;
export const isLast = (step: number): boolean => (step & 8) !== 0;
export const endpointOf = (step: number): number => (step >>> 4) & 31;
export const routeOf = (step: number): number => step >>> 10;

/** One core, as long as its instance lives. */
export class ClusterHandle {
  readonly #core: wasm.ClusterCore;
  readonly #generation = liveGeneration();
  readonly #address: number;
  #register: Float64Array;

  /** @throws Error that names every setting that cannot be used. */
  constructor({ lines, numbers }: Settings, seed: number, nowMs: number) {
    this.#core = new wasm.ClusterCore(lines, numbers, seed, nowMs);
    this.#address = this.#core.registerAddress();
    this.#register = this.#view();
  }

  /** Whether its instance is the one in use. */
  get isAlive(): boolean {
    return this.#generation === coreGeneration();
  }

  read(place: number): number {
    if (this.#register.length === 0) this.#register = this.#view();
    return this.#register[place] as number;
  }

  /** The endpoint's number, or -1. */
  add(isWritable: boolean, priority: number, nowMs: number): number {
    return this.#ask(() => this.#core.add(isWritable, priority, nowMs), -1);
  }

  remove(endpoint: number): void {
    this.#ask(() => this.#core.remove(endpoint), undefined);
  }

  begin(bits: number, timeoutMs: number, allowed: number, near: number, floor: number, nowMs: number): number {
    if (!this.isAlive) return Kind.FailOpen;
    try {
      return this.#core.begin(bits, timeoutMs, allowed, near, floor, nowMs);
    } catch (error) {
      return this.#trapped(error, Kind.FailOpen);
    }
  }

  report(route: number, ended: number, retryAtMs: number, nowMs: number): number {
    if (!this.isAlive) return Kind.FailOpen;
    try {
      return this.#core.report(route, ended, retryAtMs, nowMs);
    } catch (error) {
      return this.#trapped(error, Kind.FailOpen);
    }
  }

  saw(endpoint: number, index: number): void {
    this.#ask(() => this.#core.saw(endpoint, index), undefined);
  }

  look(endpoint: number, nowMs: number): void {
    this.#ask(() => this.#core.look(endpoint, nowMs), undefined);
  }

  /** The endpoint, plus 32 when it is ejected; -1 when there is none to tell. */
  takeChange(): number {
    return this.#ask(() => this.#core.takeChange(), -1);
  }

  #ask<T>(what: () => T, otherwise: T): T {
    if (!this.isAlive) return otherwise;
    try {
      return what();
    } catch (error) {
      return this.#trapped(error, otherwise);
    }
  }

  #trapped<T>(error: unknown, answer: T): T {
    if (isTrap(error)) replaceCore(this.#generation);
    return answer;
  }

  #view(): Float64Array {
    return new Float64Array(wasm.wasmMemory().buffer, this.#address, REGISTER_LENGTH);
  }
}
