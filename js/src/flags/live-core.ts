// The flags' core in this isolate: a wasm instance of its own, which is replaced when it has trapped.

import { isTrap } from "../trap.ts";
import { FlagCore as Core, __wbg_reset_state as reset, wasmMemory } from "./generated/flags.js";

/** How often the instance was replaced. A core made before the latest time is dead. */
let generation = 0;
/** Whether the instance could not be replaced when it should have been: where the stack has ended there is no room for it. */
let isOverdue = false;

export type { Core };

/** The core of one set of flags. */
export class LiveCore {
  readonly #fill: (core: Core) => void;
  #core: Core;
  #generation: number;
  #view = new Uint32Array();

  /** @param fill Gives a new core what the one before was given. */
  constructor(fill: (core: Core) => void) {
    this.#fill = fill;
    this.#core = made();
    this.#generation = generation;
  }

  /** Changes with every instance. */
  get generation(): number {
    return this.#generation;
  }

  /** The core, made anew and filled if its instance is dead. */
  get(): Core {
    if (this.#generation !== generation) {
      this.#core = made();
      this.#generation = generation;
      this.#fill(this.#core);
    }
    return this.#core;
  }

  /** Replaces the instance if what a call has thrown says that it is dead. Returns whether it was. */
  failed(error: unknown): boolean {
    if (!isTrap(error)) return false;
    if (this.#generation === generation) {
      generation += 1;
      isOverdue = true;
    }
    return true;
  }

  /** The instance's memory, as it is now: it moves when it grows. */
  get memory(): ArrayBuffer {
    return wasmMemory().buffer as ArrayBuffer;
  }

  /** Numbers that lie in the memory. */
  numbers(address: number, count: number): Uint32Array {
    if (this.#view.buffer !== this.memory) this.#view = new Uint32Array(this.memory);
    return this.#view.subarray(address / 4, address / 4 + count);
  }
}

function made(): Core {
  if (isOverdue) {
    reset();
    isOverdue = false;
  }
  return new Core();
}
