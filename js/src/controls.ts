// Seawall's own surface of a client: what it shows, and the hand on the breaker.

import type { CircuitEventName, CircuitListener, Why } from "./circuit.ts";
import type { SeawallOptions } from "./config/options.ts";
import type { Driver } from "./driver.ts";
import type { EffectiveConfig } from "./live-settings.ts";
import type { SlowQuery } from "./slow-queries.ts";
import type {
  CleanupTarget,
  ConnectionStatus,
  FleetStatus,
  IgnoredSetting,
  OperationStatus,
  PoolBounds,
  PoolStats,
  Status,
} from "./status.ts";
import { type TelemetryControls, telemetryControlsOf } from "./telemetry/controls.ts";
import type { TierName } from "./tenants/tier.ts";
import type { Times } from "./times.ts";

/** The states of a circuit. */
export const CircuitState = { CLOSED: "CLOSED", HALF_OPEN: "HALF_OPEN", OPEN: "OPEN" } as const;
export type CircuitState = (typeof CircuitState)[keyof typeof CircuitState];

/** The breaker's counts. */
export interface CircuitMetrics {
  state: CircuitState;
  /** Failures in the window. */
  failures: number;
  /** Attempts that found the database healthy, since the start or the last reset. */
  successes: number;
  /** Admitted attempts, since the start or the last reset. */
  requests: number;
}

/**
 * The breaker, to look at, to listen to and to hold.
 *
 * Whoever holds it may say why: text, or `{ reason, by }`. The last 50 such acts are in `status().breaker.hands`.
 */
export interface CircuitBreakerControls {
  getMetrics(): CircuitMetrics;
  /**
   * Holds the circuit open (everything is refused) or closed (nothing is counted) until {@link release} or {@link reset}.
   *
   * @throws `RangeError` for `HALF_OPEN`, which is a passage and not a place to stay.
   */
  forceState(state: CircuitState, why?: string | Why): void;
  /** Lets go of a forced state: open goes on to probing, closed starts to count. */
  release(why?: string | Why): void;
  /** Closes the circuit with zero counters, and tells other isolates. */
  reset(why?: string | Why): void;
  /** Turns the breaker off in this isolate: nothing is refused and nothing opens it until {@link enable}. */
  disable(why?: string | Why): void;
  /** Turns the breaker on again. A circuit that was open when it was turned off goes on from there. */
  enable(why?: string | Why): void;
  /**
   * Calls `listener` once for each change: `open`, `close`, `halfOpen`. Listen where the client is made, not in each
   * request. A change is found by the next operation that meets it, never by a timer. The listener runs in a microtask
   * of the request that found the change; what it throws or rejects with harms nothing and is counted.
   *
   * @throws `RangeError` for another event, and at the 101st listener of one event.
   */
  on(event: CircuitEventName, listener: CircuitListener): CircuitBreakerControls;
  /** Takes a listener away. */
  off(event: CircuitEventName, listener: CircuitListener): CircuitBreakerControls;
}

/** Seawall's own surface of a client. */
export interface Controls {
  /** The kind of database, as `protect` was told; `libsql` for clients. */
  readonly databaseType: string;
  /** State and counters of all policies in this isolate. */
  status(): Status;
  /** The pool's connections with their last changes. */
  connections(): ConnectionStatus[];
  /** The pool at a glance. */
  getPoolStats(): PoolStats;
  /** The same among all that is measured. */
  getMetrics(): { connectionPool: PoolStats & PoolTimes };
  /**
   * Asks the database something small under the policies, with `timeouts.healthCheck` as its deadline, and resolves to
   * whether it answered. An open circuit answers `false` and sends nothing. Never rejects, but for what cannot be asked.
   *
   * @throws TypeError when nobody knows how to ask: see `ping` of `protect`.
   */
  healthCheck(): Promise<boolean>;
  /**
   * Sets up the connections that the settings want warm: at least `initialConnections`. Resolves when they are, or when
   * they could not be after `maxRetries`. On Workers call it within a request, best in its `waitUntil`.
   */
  warm(): Promise<void>;
  /**
   * Closes connections: all that are idle, all, or the one with this id. One that is in use is closed when it is given
   * back. Returns how many.
   *
   * @throws RangeError for anything else.
   */
  cleanup(target: CleanupTarget): number;
  /**
   * Changes the pool's bounds while it runs, such as when its tenant's tier changes. What is held stays held.
   *
   * @throws Error that names a bound that cannot be used; nothing is changed then.
   */
  resize(bounds: PoolBounds): void;
  /**
   * The circuit in all data centres, from what each of them left in the store: one list and a read for each, so ask from
   * time to time, as a cron job, and not for each request. When it is open in most of them, in two at least, and this
   * isolate knows nothing better, it admits a growing share of its operations for `state.rampTime`; nothing else follows.
   *
   * @throws TypeError without a store, or with one that cannot list; what the store throws when listing fails.
   */
  fleet(): Promise<FleetStatus>;
  /**
   * Takes another tier: bounds of the pool, operations at once, time limits and priority change for what comes next. What was
   * set explicitly stays.
   *
   * @throws RangeError for a tier that there is not.
   */
  setTier(tier: TierName): void;
  /**
   * Every setting in force with its source: `default`, `option`, or the name of the variable or preset. Of one group, if
   * it is named. Secrets are shown as `(set)`.
   *
   * @throws RangeError for a group that there is not.
   */
  config(group?: string): EffectiveConfig;
  /**
   * Changes settings while the client runs: all of the patch, or nothing. The next operation sees it; those that run keep
   * their deadlines. Retry policies of single operations that were used already stay as they are.
   *
   * @throws Error that names everything that cannot be used, or takes a new client.
   */
  configure(patch: SeawallOptions): void;
  /** What is set, as a document to keep: keys sorted, defaults, secrets and the environment left out, with a checksum. */
  exportConfig(): string;
  /**
   * Takes the settings of a document that {@link Controls.exportConfig} made, of this release or an older one, in place
   * of the client's own.
   *
   * @throws Error when the document is damaged, newer, or cannot be used; nothing has changed then.
   */
  importConfig(text: string): void;
  /** How long things took, as counts in buckets for the metrics of `seawall/monitor`; undefined before the first operation. */
  times(): Times | undefined;
  /** Operations that were given an `operationName` or a `tableName`, with their counts. */
  operations(): OperationStatus[];
  /**
   * Statements whose requests took longer than `slowQuery.threshold`, the greatest total time first: at most `limit`, and
   * never more than 100. Texts hold no literals; arguments are in none of it.
   */
  slowQueries(limit?: number): SlowQuery[];
  readonly circuitBreaker: CircuitBreakerControls;
  /** Traces and logs of this database. */
  readonly telemetry: TelemetryControls;
  /** Another name for `circuitBreaker.on`. */
  on(event: CircuitEventName, listener: CircuitListener): Controls;
  /** Another name for `circuitBreaker.off`. */
  off(event: CircuitEventName, listener: CircuitListener): Controls;
  /** Refuses new operations and waits, at most `deadlineMs` (10,000), until those in flight have ended. */
  drain(deadlineMs?: number): Promise<void>;
}

/** What the pool's queries took in the last minute. */
export interface PoolTimes {
  /** Mean duration, in milliseconds; 0 without queries. */
  avgQueryTime: number;
}

/**
 * Controls over whichever driver the client has at the moment.
 *
 * @param ask Asks the database something small under the policies; rejects when it does not answer.
 */
export function controlsOf(
  driver: () => Driver,
  ignored: readonly IgnoredSetting[] = [],
  databaseType = "other",
  ask?: () => Promise<unknown>,
): Controls {
  const circuitBreaker = breakerControlsOf(driver);
  let tier: string | undefined;
  const controls: Controls = {
    databaseType,
    status() {
      const status = driver().status();
      return { ...status, ignored: [...ignored, ...status.ignored] };
    },
    config(group) {
      const config = driver().settings.effective(group);
      return { ...config, ignored: [...ignored, ...config.ignored] };
    },
    configure: (patch) => driver().configure(patch),
    exportConfig: () => driver().settings.exportConfig(),
    importConfig: (text) => driver().importConfig(text),
    connections: () =>
      driver()
        .connections()
        .map((it) => {
          const name = tier ?? driver().tier;
          return { ...it, databaseType, ...(name && { tier: name }) };
        }),
    getPoolStats() {
      const { size, available, borrowed, pending, min, max } = driver().status().pool;
      return { size, available, borrowed, pending, min, max };
    },
    getMetrics() {
      const avgQueryTime = driver().status().recent.averageMs;
      return { connectionPool: { ...controls.getPoolStats(), avgQueryTime } };
    },
    healthCheck: async () => {
      if (ask === undefined) throw new TypeError("healthCheck() needs `ping`, a function that asks the database");
      return ask().then(
        () => true,
        () => false,
      );
    },
    warm: () => driver().warm(),
    cleanup: (target) => driver().cleanUp(target),
    resize({ tier: named, ...bounds }) {
      driver().resize(bounds);
      tier = named ?? tier;
    },
    fleet: () => driver().fleet(),
    setTier: (tier) => driver().setTier(tier),
    times: () => driver().times(),
    operations: () => driver().operations(),
    slowQueries: (limit) => driver().slow?.list(limit) ?? [],
    drain: (deadlineMs) => driver().drain(deadlineMs),
    circuitBreaker,
    telemetry: telemetryControlsOf(() => driver().observer),
    on(event, listener) {
      circuitBreaker.on(event, listener);
      return controls;
    },
    off(event, listener) {
      circuitBreaker.off(event, listener);
      return controls;
    },
  };
  return controls;
}

/** The same of the breaker alone. */
export function breakerControlsOf(driver: () => Driver): CircuitBreakerControls {
  const controls: CircuitBreakerControls = {
    getMetrics() {
      const { state, failures, successes, requests } = driver().status().breaker;
      return { state, failures, successes, requests };
    },
    forceState(state, why) {
      if (state !== CircuitState.OPEN && state !== CircuitState.CLOSED) {
        throw new RangeError(`A circuit can be forced OPEN or CLOSED, got ${JSON.stringify(state)}`);
      }
      driver().forceState(state, why);
    },
    release: (why) => driver().forceState(undefined, why),
    reset: (why) => driver().resetBreaker(why),
    disable: (why) => driver().enableBreaker(false, why),
    enable: (why) => driver().enableBreaker(true, why),
    on(event, listener) {
      driver().circuit.on(event, listener);
      return controls;
    },
    off(event, listener) {
      driver().circuit.off(event, listener);
      return controls;
    },
  };
  return controls;
}
