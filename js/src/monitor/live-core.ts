// The monitor's core in this isolate: a wasm instance of its own, which is replaced when it has trapped.

import { Monitor as Core, __wbg_reset_state as reset } from "./generated/monitor.js";

/** How often the instance was replaced. A core made before the latest time is dead. */
let generation = 0;

/** The core of one monitor. What it had learnt is forgotten when it is replaced. */
export class LiveCore {
  readonly #settings: string;
  #core: Core;
  #generation = generation;
  #checkIntervalMs: number | undefined;

  /** @throws Error that names what of the settings cannot be used. */
  constructor(settings: string) {
    this.#settings = settings;
    this.#core = new Core(settings);
  }

  /** How often any instance of this isolate was replaced. */
  get restarts(): number {
    return generation;
  }

  get(): Core {
    if (this.#generation !== generation) {
      this.#core = new Core(this.#settings);
      this.#generation = generation;
      if (this.#checkIntervalMs !== undefined) this.#core.checkEvery(this.#checkIntervalMs);
    }
    return this.#core;
  }

  /** Has all databases probed so often, in milliseconds; 0 ends it. */
  checkEvery(intervalMs: number): void {
    this.#checkIntervalMs = intervalMs;
    this.get().checkEvery(intervalMs);
  }

  /** Looks at what was thrown: a trap costs the instance. Returns whether it was one. */
  failed(error: unknown): boolean {
    const isTrap = error instanceof WebAssembly.RuntimeError;
    if (isTrap && this.#generation === generation) {
      generation += 1;
      reset();
    }
    return isTrap;
  }
}
