// The documents that the core renders, as types.

import type { SlowQueryStatus } from "./slow-queries.ts";
import type { TierStatus } from "./tenants/tier.ts";

/** Names of the circuit's states, in the order of their numbers. */
export const STATES = ["CLOSED", "HALF_OPEN", "OPEN"] as const;

/** Name of the circuit's state. */
export type BreakerState = (typeof STATES)[number];

/** Something that an operator did to a breaker. */
export interface HandOnBreaker {
  /** `RELEASED` ends a forced state; `DISABLED` and `ENABLED` turn the whole breaker off and on. */
  action: "OPEN" | "CLOSED" | "RELEASED" | "RESET" | "DISABLED" | "ENABLED";
  /** When, in milliseconds since the epoch. */
  atMs: number;
  /** Why, as the operator said; at most 200 characters. */
  reason?: string;
  /** Who, as the operator said; at most 200 characters. */
  by?: string;
}

/** Operations that their callers named, counted since the client was made. */
export interface OperationStatus {
  /** `operationName`; `other` for what came after the hundredth pair of names. */
  operation: string;
  /** `tableName`, or empty. */
  table: string;
  calls: number;
  /** Calls that gave no value, whoever ended them. */
  failures: number;
  /** Sum of their times, waits and retries included. */
  durationMs: number;
}

/** A setting that is accepted and does nothing here. */
export interface IgnoredSetting {
  name: string;
  why: string;
}

/** State and counters of all policies of one database in one isolate. */
export interface Status {
  uptimeMs: number;
  /** The tier, if one is set. `pool.min` and `pool.max` are what is in force. */
  tier?: TierStatus;
  breaker: {
    state: BreakerState;
    failures: number;
    successes: number;
    requests: number;
    retryAtMs?: number;
    forced?: "OPEN" | "CLOSED";
    generation: number;
    /** What operators did to the breaker, oldest first: the last 50. */
    hands: HandOnBreaker[];
    /** How often a listener of its events threw or rejected. */
    listenerFailures: number;
  };
  pool: {
    size: number;
    available: number;
    borrowed: number;
    pending: number;
    min: number;
    max: number;
    leaked: number;
    /** Most leases at once as the strategy has it at the moment, between `min` and `max`. */
    limit: number;
    created: number;
    /** Set up ahead of demand. */
    warmed: number;
    /** Checked before they were used. */
    validated: number;
    /** Replaced: worn, or found broken by a check. */
    recycled: number;
    /** Given up, for whatever reason. */
    retired: number;
  };
  totals: {
    successful: number;
    failed: number;
    byOutcome: [string, number][];
    byRefusal: [string, number][];
    slow: number;
    retries: number;
    hedged: number;
    hedgesWon: number;
    retriesDenied: number;
    queued: number;
    circuitChanges: number;
    hintsMerged: number;
    hintsRefused: number;
    storeFailures: number;
  };
  recent: { healthy: number; failing: number; slow: number; durationMs: number; averageMs: number };
  /** Requests that took longer than `slowQuery.threshold`; `slowQueries()` lists their statements. */
  slowQueries: SlowQueryStatus;
  /** Operations that have begun and not ended. */
  running: number;
  /** Memory of the core's wasm instance, in bytes: one for all databases of the isolate. */
  memoryBytes: number;
  /** How often this database's core was made anew, because it or another one of the isolate had trapped. */
  coreRecoveries: number;
  /** How often the core's wasm instance was replaced after a trap: one for all databases of the isolate. */
  wasmRestarts: number;
  /** Settings that are accepted and do nothing here. */
  ignored: IgnoredSetting[];
}

/** One database's circuit in one data centre, as its isolates stored it. */
export interface ColoStatus {
  /** Name of the data centre; empty for isolates that do not know where they are. */
  colo: string;
  /** `UNKNOWN` does not vote. What probes is still `OPEN`. */
  state: "OPEN" | "CLOSED" | "UNKNOWN";
  /** Since when it is open or closed, if anything fresh says so. */
  sinceMs?: number;
  /** What its vote weighs: its requests, at least 1; 0 for one that does not vote. */
  weight: number;
  /** Attempts in the last minute, of the isolates that reported. */
  requests: number;
  failures: number;
  /** Isolates there, as far as is known. */
  isolates: number;
}

/** One database's circuit in all data centres. Derived from what each of them stored; nothing is stored of it. */
export interface FleetStatus {
  /** Whether the open data centres hold at least the share `state.quorum` of the weight of all that vote. */
  isOpen: boolean;
  openWeight: number;
  totalWeight: number;
  /** Keys that held no snapshot. */
  skipped: number;
  /** Keys that could not be read in time, or were beyond the 400 that are read. */
  unread: number;
  /** In the order of their names. */
  colos: ColoStatus[];
}

/** The pool at a glance. */
export type PoolStats = Pick<Status["pool"], "size" | "available" | "borrowed" | "pending" | "min" | "max">;

/** Which connections to close by hand. */
export type CleanupTarget = "idle" | "all" | number;

/** Bounds of a pool that change while it runs. */
export interface PoolBounds {
  minConnections?: number;
  maxConnections?: number;
  /** A name for these bounds, which `connections()` shows. */
  tier?: string;
}

/** One connection with its history. */
export interface ConnectionStatus {
  id: number;
  state: string;
  createdAtMs: number;
  lastUsedAtMs: number;
  uses: number;
  errors: number;
  /** The kind of database, as `protect` was told. */
  databaseType: string;
  /** The tier that `resize` was last told. */
  tier?: string;
  history: { from: string; to: string; atMs: number; reason: string }[];
}
