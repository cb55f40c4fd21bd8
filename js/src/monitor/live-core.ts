// The monitor's core in this isolate: a wasm instance of its own, which is replaced when it has trapped.

import { WasmInstance } from "../wasm-instance.ts";
import { Monitor as Core, __wbg_reset_state as reset } from "./generated/monitor.js";
import { MonitorRestartedError } from "./restarted.ts";

const instance = new WasmInstance(reset);

/** The core of one monitor. What it had learnt is forgotten when it is replaced. */
export class LiveCore {
  readonly #settings: string;
  #core: Core;
  #generation: number;
  #restarts = 0;
  #checkIntervalMs: number | undefined;

  /** @throws Error that names what of the settings cannot be used. */
  constructor(settings: string) {
    this.#settings = settings;
    this.#core = this.#made();
    this.#generation = instance.generation;
  }

  /** How often this core was replaced. */
  get restarts(): number {
    return this.#restarts;
  }

  /** The core. What it throws is {@link MonitorRestartedError} if it traps, or had trapped meanwhile. */
  get(): Core {
    if (this.#generation !== instance.generation) {
      this.#core = this.#made();
      this.#generation = instance.generation;
      this.#restarts += 1;
      this.#core.resume();
      if (this.#checkIntervalMs !== undefined) this.#core.checkEvery(this.#checkIntervalMs);
    }
    return this.#core;
  }

  /** Asks what any core can answer: again of the next one, if this one traps. */
  ask<T>(what: (core: Core) => T): T {
    try {
      return what(this.get());
    } catch (error) {
      if (!(error instanceof MonitorRestartedError)) throw error;
      return what(this.get());
    }
  }

  /** Has all databases probed so often, in milliseconds; 0 ends it. */
  checkEvery(intervalMs: number): void {
    this.#checkIntervalMs = intervalMs;
    this.ask((core) => core.checkEvery(intervalMs));
  }

  #made(): Core {
    instance.ready();
    return guarded(new Core(this.#settings), instance.generation);
  }
}

/** The same core, for as long as its instance lives. */
function guarded(core: Core, bornIn: number): Core {
  return new Proxy(core, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        try {
          return Reflect.apply(value, target, args);
        } catch (error) {
          throw instance.failed(error, bornIn) ? new MonitorRestartedError(error) : error;
        }
      };
    },
  });
}
