// The flags' core in this isolate, which is made anew when its wasm instance has trapped.

import { WasmInstance } from "../wasm-instance.ts";
import { FlagCore as Core, __wbg_reset_state as reset, wasmMemory } from "./generated/flags.js";

const instance = new WasmInstance(reset);

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
    this.#generation = instance.generation;
  }

  /** Changes with every instance. */
  get generation(): number {
    return this.#generation;
  }

  /** Whether the core's instance is the one that works. */
  get isAlive(): boolean {
    return this.#generation === instance.generation;
  }

  /** The core, made anew and filled if its instance is dead. */
  get(): Core {
    if (this.#generation !== instance.generation) {
      this.#core = made();
      this.#generation = instance.generation;
      this.#fill(this.#core);
    }
    return this.#core;
  }

  /** Replaces the instance if what a call has thrown says that it is dead. Returns whether it was. */
  failed(error: unknown): boolean {
    return instance.failed(error, this.#generation);
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
  instance.ready();
  return new Core();
}
