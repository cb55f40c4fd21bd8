// Time limits by class of operation, by size and by tier, for whoever wants only those.

import type { OperationOptions, TimeoutOptions } from "./config/options.ts";
import type { Driver } from "./driver.ts";
import { createGuard } from "./guard.ts";
import { type AttemptContext, type OperationClass, withOptions } from "./operation.ts";
import { limitsOf, type TierName } from "./tenants/tier.ts";
import { TIERS } from "./tenants/tier-table.ts";

/** Classes of operations, by the names of their settings. */
export type TimeoutClass = Exclude<keyof TimeoutOptions, "enabled">;

/** Limits by class, in milliseconds. */
export type TimeoutLimits = Record<TimeoutClass, number>;

const CLASSES: Record<TimeoutClass, OperationClass> = {
  query: "query",
  transaction: "transaction",
  batchInsert: "batch",
  healthCheck: "healthCheck",
};

/** The limits that hold if nobody sets others, in milliseconds: those of docs/config.md. */
export const DEFAULT_TIMEOUTS: Readonly<TimeoutLimits> = Object.freeze({
  query: 15_000,
  transaction: 30_000,
  batchInsert: 60_000,
  healthCheck: 3_000,
});

/** How long a query of each tier may take, in milliseconds. */
export const TIER_QUERY_TIMEOUTS: Readonly<Record<TierName, number>> = Object.freeze({
  FREE: TIERS.FREE.timeout,
  STARTER: TIERS.STARTER.timeout,
  PRO: TIERS.PRO.timeout,
  ENTERPRISE: TIERS.ENTERPRISE.timeout,
});

/**
 * The limits of a tier, for `timeouts`: its query limit, and no other class below it except probes.
 *
 * @throws RangeError for a tier that there is not.
 */
export function tierTimeouts(tier: TierName): TimeoutLimits {
  const query = limitsOf(tier).timeout;
  const { transaction, batchInsert, healthCheck } = DEFAULT_TIMEOUTS;
  return { query, transaction: Math.max(query, transaction), batchInsert: Math.max(query, batchInsert), healthCheck };
}

/** How the limit of a batch grows. */
export interface BatchScaling {
  /** For no rows at all. Default 10,000 ms. */
  baseMs?: number;
  /** For each row. Default 50 ms. */
  perRowMs?: number;
  /** However many rows. Default 300,000 ms. */
  maxMs?: number;
}

const SIMPLE_MS = 5_000;
const COMPLEX_MS = 30_000;
/** 1,000 rows get exactly the 60 s that a batch has by default. */
const BATCH: Required<BatchScaling> = { baseMs: 10_000, perRowMs: 50, maxMs: 300_000 };

/** Options for operations of a known kind: pass them on, or spread them and add your own. */
export const TimeoutUtils = {
  /** A look-up by key: 5 s. */
  simpleQuery(operationName: string, tableName?: string): OperationOptions {
    return named(SIMPLE_MS, operationName, tableName);
  },

  /** An analysis or a report: 30 s. */
  complexQuery(operationName: string, tableName?: string): OperationOptions {
    return named(COMPLEX_MS, operationName, tableName);
  },

  /**
   * A batch of so many rows: `min(maxMs, baseMs + rows × perRowMs)`.
   *
   * @throws RangeError unless `rows` is a whole number from 0 on.
   */
  batchOperation(operationName: string, rows: number, tableName?: string, scaling?: BatchScaling): OperationOptions {
    if (!Number.isSafeInteger(rows) || rows < 0) {
      throw new RangeError(`The number of rows must be a whole number from 0 on, got ${String(rows)}`);
    }
    const { baseMs, perRowMs, maxMs } = { ...BATCH, ...scaling };
    return named(Math.min(maxMs, Math.ceil(baseMs + rows * perRowMs)), operationName, tableName);
  },
} as const;

function named(timeout: number, operationName: string, tableName: string | undefined): OperationOptions {
  return tableName === undefined ? { timeout, operationName } : { timeout, operationName, tableName };
}

/**
 * Gives functions a time limit by class: no pool, no breaker, no retries.
 *
 * A function that outlives its limit is rejected with `DatabaseTimeoutError`, and the signal that it was given is aborted.
 */
export class DatabaseTimeoutHandler {
  /** The limits in force, in milliseconds; 0 means none. */
  readonly limits: Readonly<TimeoutLimits>;
  readonly #guard: Driver;

  /** @throws Error that names every limit that cannot be used. */
  constructor(limits: Partial<TimeoutLimits> = {}) {
    this.limits = Object.freeze({ ...DEFAULT_TIMEOUTS, ...limits });
    this.#guard = createGuard(
      {
        timeouts: this.limits,
        connectionPool: { enabled: false },
        circuitBreaker: { enabled: false },
        retry: { attempts: 1 },
      },
      "timeouts",
    );
  }

  /** Calls `work` under the limit of its class, or under `options.timeout`. What `work` throws comes back unchanged. */
  execute<T>(kind: TimeoutClass, work: (cx: AttemptContext) => Promise<T>, options?: OperationOptions): Promise<T> {
    if (!Object.hasOwn(CLASSES, kind)) {
      return Promise.reject(
        new RangeError(`The classes are ${Object.keys(CLASSES).join(", ")}, got ${JSON.stringify(kind)}`),
      );
    }
    const operation = { class: CLASSES[kind], kind: "unknown", name: kind, handsOnErrors: "all" } as const;
    return this.#guard.run(withOptions(operation, options), work);
  }

  query<T>(work: (cx: AttemptContext) => Promise<T>, options?: OperationOptions): Promise<T> {
    return this.execute("query", work, options);
  }

  transaction<T>(work: (cx: AttemptContext) => Promise<T>, options?: OperationOptions): Promise<T> {
    return this.execute("transaction", work, options);
  }

  batchInsert<T>(work: (cx: AttemptContext) => Promise<T>, options?: OperationOptions): Promise<T> {
    return this.execute("batchInsert", work, options);
  }

  healthCheck<T>(work: (cx: AttemptContext) => Promise<T>, options?: OperationOptions): Promise<T> {
    return this.execute("healthCheck", work, options);
  }

  /** Operations that were named, with their counts. */
  operations() {
    return this.#guard.operations();
  }
}
