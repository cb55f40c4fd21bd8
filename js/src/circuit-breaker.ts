// A breaker around any function, under the names that other breakers have made familiar.

import type { CircuitEventName, CircuitListener, Why } from "./circuit.ts";
import type { CircuitBreakerOptions, OperationOptions, RetryOptions } from "./config/options.ts";
import { breakerControlsOf, type CircuitBreakerControls, type CircuitMetrics, type CircuitState } from "./controls.ts";
import type { Driver } from "./driver.ts";
import { createGuard } from "./guard.ts";
import type { AttemptContext } from "./operation.ts";
import { withOptions } from "./operation.ts";

import { type Platform, platform as thisPlatform } from "./platform/platform.ts";

/** Settings of a {@link DatabaseCircuitBreaker}. */
export interface DatabaseCircuitBreakerOptions extends CircuitBreakerOptions {
  /** Names it in events. Default `"database"`. */
  name?: string;
  /** Without it nothing is tried again. A function is called again only if it certainly did not run, or is `idempotent`. */
  retry?: RetryOptions;
}

/** A breaker with no pool and no deadline of its own. */
export class DatabaseCircuitBreaker implements CircuitBreakerControls {
  readonly #guard: Driver;
  readonly #controls: CircuitBreakerControls;

  /** @throws Error that names every setting that cannot be used. */
  constructor(options: DatabaseCircuitBreakerOptions = {}, platform: Platform = thisPlatform) {
    const { name = "database", retry, ...circuitBreaker } = options;
    const timeouts = { query: 0, transaction: 0, batchInsert: 0, healthCheck: 0 };
    this.#guard = createGuard(
      { circuitBreaker, retry: retry ?? { attempts: 1 }, timeouts, connectionPool: { enabled: false } },
      name,
      platform,
    );
    this.#controls = breakerControlsOf(() => this.#guard);
  }

  /**
   * Calls `work`, unless the circuit is open.
   *
   * @throws `DatabaseCircuitBreakerError` when it is; `DatabaseRetryError` when every attempt failed; else what `work`
   * throws, unchanged.
   */
  execute<T>(work: (cx: AttemptContext) => Promise<T>, options?: OperationOptions): Promise<T> {
    const operation = { class: "query", kind: "unknown", name: options?.operationName ?? "execute" } as const;
    return this.#guard.run(withOptions({ ...operation, handsOnErrors: "losses" }, options), work);
  }

  getMetrics(): CircuitMetrics {
    return this.#controls.getMetrics();
  }

  forceState(state: CircuitState, why?: string | Why): void {
    this.#controls.forceState(state, why);
  }

  release(why?: string | Why): void {
    this.#controls.release(why);
  }

  reset(why?: string | Why): void {
    this.#controls.reset(why);
  }

  disable(why?: string | Why): void {
    this.#controls.disable(why);
  }

  enable(why?: string | Why): void {
    this.#controls.enable(why);
  }

  on(event: CircuitEventName, listener: CircuitListener): this {
    this.#controls.on(event, listener);
    return this;
  }

  off(event: CircuitEventName, listener: CircuitListener): this {
    this.#controls.off(event, listener);
    return this;
  }
}
