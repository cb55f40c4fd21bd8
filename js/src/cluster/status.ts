// What a cluster shows of itself.

import type { BreakerState } from "../status.ts";
import type { LoadBalancingOptions, Tags } from "./options.ts";

/** How a database can be, by the core's numbers. */
export const HEALTHS = ["healthy", "probation", "stalled", "refusing", "ejected", "gone"] as const;

/** One database of a cluster, as this isolate knows it. */
export interface EndpointStatus {
  name: string;
  /** Host and path, without credentials. */
  database: string;
  role: "primary" | "replica";
  priority: number;
  readOnly: boolean;
  region?: string;
  tags: Tags;
  /**
   * `probation`: back, and away again at its next failure. `stalled`: operations pile up and nothing is heard of it.
   * `refusing`: its circuit is open. `ejected`: it failed, or was slow, too often in a row.
   */
  state: (typeof HEALTHS)[number];
  /** When one that is ejected or refuses may be asked again, in milliseconds since the epoch. */
  awayUntilMs?: number;
  breaker: BreakerState;
  /** Operations that are out there, open transactions included. */
  pending: number;
  /** What an answer takes, leaning to the peaks; 0 before the first. */
  latencyMs: number;
  reads: number;
  /** Writes, and statements of which nobody knows whether they write. */
  writes: number;
  failures: number;
  refusals: number;
  /** Operations that moved on from it to another. */
  failovers: number;
  ejections: number;
  /** The highest index of the log that it has answered from; 0 if none is known. */
  replicationIndex: number;
}

/** The databases of one client, as this isolate knows them. */
export interface ClusterStatus {
  /** `degraded` when one is not healthy, `down` when none is. */
  state: "healthy" | "degraded" | "down";
  /** How reads are spread; `off` when load balancing is. */
  strategy: NonNullable<LoadBalancingOptions["strategy"]> | "off";
  endpoints: EndpointStatus[];
}
