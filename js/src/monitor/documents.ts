// The documents that the monitor makes, as types. They are written in src/report.

import type { BreakerState } from "../status.ts";

/** Something that somebody should look at. */
export interface HealthAlert {
  name: string;
  severity: "warning" | "critical";
  message: string;
}

/** `/api/health`. Counters run from the isolate's start. */
export interface HealthDocument {
  status: "healthy" | "degraded" | "unhealthy";
  /** ISO 8601 in UTC with milliseconds. */
  timestamp: string;
  /** Milliseconds since the monitor was made. */
  uptime: number;
  database: {
    connected: boolean;
    /** Leases; `utilization` in percent. */
    connectionPool: { total: number; active: number; idle: number; utilization: number };
    performance: {
      /** Mean of the last minute, in milliseconds. */
      averageQueryTime: number;
      slowQueries: number;
      successfulQueries: number;
      failedQueries: number;
      /** Percent, to a tenth. */
      errorRate: number;
    };
    reliability: {
      circuitBreaker: { state: BreakerState; failures: number; successes: number; requests: number };
      activeOperations: number;
      timeouts: number;
    };
  };
  checks: { connectivity: boolean; queryPerformance: boolean; poolHealth: boolean; circuitBreakerState: boolean };
  alerts: HealthAlert[];
}

/** What `getMetrics` tells of the first database. */
export interface MonitorMetrics {
  averageQueryTime: number;
  slowQueries: number;
  successfulQueries: number;
  failedQueries: number;
  /** Percent, to a tenth. */
  errorRate: number;
  /** Percent. */
  poolUtilization: number;
  totalConnections: number;
  activeConnections: number;
  idleConnections: number;
  activeOperations: number;
  timeouts: number;
  circuitBreakerState: BreakerState;
  /** 0 to 100. */
  healthScore: number;
}

/** `/api/status`. Utilization and rates are ratios from 0 to 1. */
export interface Overview {
  /** Whose numbers these are. */
  scope: "isolate";
  timestamp: string;
  uptime_ms: number;
  /** Memory of the wasm instances. */
  memory_bytes: number;
  config: {
    load_balancing: boolean;
    load_balance_strategy: string;
    failover: boolean;
    query_cache: boolean;
    metrics: boolean;
    tracing: boolean;
  };
  databases: Record<string, DatabaseOverview>;
  cache_stats: { size: number; utilization: number; hit_rate: number };
  tenants?: Record<string, { live: number; residues: number; evicted: number }>;
  /** The flags that hold in this isolate. */
  flags: FlagsOverview;
  /** What this isolate has seen of what operators ordered, by name, and since when; null if only a cache has told of it. */
  orders: Record<string, { version: number; seen_at: string | null }>;
  /** How soon it sees an order: where it looks for newer ones, how often at most, and what is wrong with those there are. */
  follow: { source: "strong" | "cache"; interval_ms: number; problem?: string };
}

/** The flags that hold in an isolate. */
export interface FlagsOverview {
  /** Whether definitions were ever taken. */
  ready: boolean;
  /** The edition that their document says. */
  revision: number;
  /** The version of the order that holds; 0 for what was deployed with the code. */
  version: number;
  kill_version: number;
  /** How long ago they were last known to be current. */
  age_ms: number;
  count: number;
  /** About their document, where it was read: a snapshot says nothing about them. */
  warnings?: number;
  /** Those that do not evaluate, whoever asks; the first twenty. */
  failing: string[];
  /** Those whose users were not split as their rules say, as far as this isolate has seen; the first twenty. No score falls for it. */
  mismatches?: SplitMismatch[];
  /** The newest edition, if it was not taken, and the one before holds on. */
  refused?: { version: number; faults: number };
}

/** A flag whose users were not split as its rules say: what an experiment says about them means nothing. */
export interface SplitMismatch {
  flag: string;
  /** By whom it was served. */
  served_by: "ofrep" | "application";
  /** What is wrong, in a sentence. */
  reason: string;
  /** How likely chance is to do that, or worse. */
  p_value: number;
  /** Its rules, the least likely first; `rule` is the `id` of one, or `#` and its place. Users of a sample, by variant. */
  rules: { rule: string; p_value: number; observed: Record<string, number>; expected: Record<string, number> }[];
}

/** One database of an {@link Overview}. */
export interface DatabaseOverview {
  config: { type: string; min_connections: number; max_connections: number };
  pool_stats: {
    total_connections: number;
    active_connections: number;
    idle_connections: number;
    /** Operations that wait for a connection. */
    pending_requests: number;
    pool_utilization: number;
    success_rate: number;
  };
  state: "healthy" | "degraded" | "unhealthy";
  health_score: number;
  /** `retry_at`: when an open one lets a probe through, ISO 8601; `forced`: where an operator holds it. */
  circuit_breaker: { state: BreakerState; failures: number; retry_at?: string; forced?: string };
  /** The first hundred of its pool. */
  connections: { id: number; state: string; uses: number; errors: number }[];
  endpoints?: { name: string; role: string; state: string; circuit_breaker: string; pending: number }[];
}
