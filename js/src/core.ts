// The core in this isolate: one wasm instance, which can be replaced when it has trapped.

import * as wasm from "./generated/core.js";

/** Kinds of steps: the low three bits of what `begin`, `wake` and `report` return. */
export const Step = { Attempt: 0, Wait: 1, Refuse: 2, Done: 3 } as const;
/** Places in the register. */
export const Place = { TimeoutMs: 0, RenewMs: 1, AtMs: 2, Detail: 3, Attempts: 4, State: 5 } as const;
/** What `succeed` and `look` ask the host to look at. */
export const Look = { Waiter: 1, Store: 2 } as const;
/** How a call ended that was not refused. */
export const Ending = { AsReported: 0, OutcomeUnknown: 1, DeadlineExceeded: 2, RetriesExhausted: 3 } as const;
/** Outcomes that the driver reports without an answer of the server. */
export const OutcomeClass = { Timeout: 2, Aborted: 11 } as const;

const REGISTER_LENGTH = 6;

let generation = 0;

/** How often the instance was replaced. A handle made before the latest time is dead. */
export function coreGeneration(): number {
  return generation;
}

/** Replaces the instance, unless that was done since `seen`. Every handle must be made anew. */
export function replaceCore(seen: number): void {
  if (seen !== generation) return;
  wasm.__wbg_reset_state();
  generation += 1;
}

/** Throws one error that names every setting that cannot be used. */
export function checkSettings(settings: string): void {
  wasm.checkSettings(settings);
}

export const judge = wasm.judge;
export const judgeClass = wasm.judgeClass;
export const kindOf = wasm.kindOf;

/** The policies of one database, with a view on their register. */
export class CoreHandle {
  readonly core: wasm.Core;
  readonly generation = generation;
  #register: Float64Array;
  #address: number;

  constructor(settings: string, seedHigh: number, seedLow: number, nowMs: number) {
    this.core = new wasm.Core(settings, seedHigh, seedLow, nowMs);
    this.#address = this.core.registerAddress();
    this.#register = new Float64Array(wasm.wasmMemory().buffer, this.#address, REGISTER_LENGTH);
  }

  /** One number of the register. Growing memory detaches the view, which then has no length. */
  read(place: number): number {
    if (this.#register.length === 0) {
      this.#register = new Float64Array(wasm.wasmMemory().buffer, this.#address, REGISTER_LENGTH);
    }
    return this.#register[place] as number;
  }
}
