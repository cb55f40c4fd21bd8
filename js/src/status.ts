// The documents that the core renders, as types.

/** Names of the circuit's states, in the order of their numbers. */
export const STATES = ["CLOSED", "HALF_OPEN", "OPEN"] as const;

/** Name of the circuit's state. */
export type BreakerState = (typeof STATES)[number];

/** State and counters of all policies of one database in one isolate. */
export interface Status {
  uptimeMs: number;
  breaker: {
    state: BreakerState;
    failures: number;
    successes: number;
    requests: number;
    retryAtMs?: number;
    forced?: "OPEN" | "CLOSED";
    generation: number;
  };
  pool: {
    size: number;
    available: number;
    borrowed: number;
    pending: number;
    min: number;
    max: number;
    leaked: number;
    created: number;
  };
  totals: {
    successful: number;
    failed: number;
    byOutcome: [string, number][];
    byRefusal: [string, number][];
    slow: number;
    retries: number;
    retriesDenied: number;
    queued: number;
    circuitChanges: number;
    hintsMerged: number;
    hintsRefused: number;
    storeFailures: number;
  };
  recent: { healthy: number; failing: number; slow: number; averageMs: number };
  /** How often the core had to be replaced after a trap. */
  coreRecoveries: number;
}

/** One connection with its history. */
export interface ConnectionStatus {
  id: number;
  state: string;
  createdAtMs: number;
  lastUsedAtMs: number;
  uses: number;
  errors: number;
  history: { from: string; to: string; atMs: number; reason: string }[];
}
