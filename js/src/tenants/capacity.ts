// What the tenants of one isolate share: so many attempts in flight, and who goes first when there are more.
//
// The gate is a pool of leases like any other, without a breaker and without retries. It stands behind the tenant's own
// pool, so that a tenant who waits for its own connections holds nothing of what is shared; and what an attempt waits for
// here is no part of what its tenant's breaker and latencies are told.

import type { Priority } from "../config/options.ts";
import type { Driver } from "../driver.ts";
import { createGuard } from "../guard.ts";
import type { Platform } from "../platform/platform.ts";

/** How much the tenants of one isolate may have in flight together. */
export interface CapacityOptions {
  /** Attempts in flight at once, 1 to 1,000. */
  maxInFlight: number;
  /** Attempts that may wait. Default 10,000. */
  maxQueue?: number;
  /** Milliseconds that one may wait; then its operation fails with `POOL_TIMEOUT`. Default 5,000. */
  acquireTimeout?: number;
}

/** What is shared, at the moment. */
export interface CapacityStatus {
  maxInFlight: number;
  inFlight: number;
  waiting: number;
}

/** Half a second of waiting is worth a level of priority: `low` is overtaken by nobody who comes 1.5 s later. */
export class Capacity {
  readonly #gate: Driver;

  constructor(options: CapacityOptions, platform: Platform) {
    const { maxInFlight, maxQueue, acquireTimeout } = options;
    this.#gate = createGuard(
      {
        connectionPool: {
          maxConnections: maxInFlight,
          minConnections: 0,
          strategy: "balanced",
          queueOrder: "fifo",
          ...(maxQueue === undefined ? undefined : { maxQueue }),
          ...(acquireTimeout === undefined ? undefined : { acquireTimeout }),
        },
        circuitBreaker: { enabled: false },
        retry: { attempts: 1 },
        timeouts: { query: 0 },
      },
      "tenants",
      // These are no sockets: a runtime's own bound is for each tenant's pool.
      { ...platform, connectionsMax: undefined },
    );
  }

  /** Runs `work` when it is its turn. Rejects with a `PoolExhaustedError` when that is too late. */
  enter<T>(priority: Priority, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const operation = {
      class: "query",
      kind: "unknown",
      handsOnErrors: "all",
      name: "tenants",
      priority,
      signal,
    } as const;
    return this.#gate.run(operation, work);
  }

  status(): CapacityStatus {
    const { max, borrowed, pending } = this.#gate.status().pool;
    return { maxInFlight: max, inFlight: borrowed, waiting: pending };
  }

  close(): void {
    this.#gate.close();
  }
}
