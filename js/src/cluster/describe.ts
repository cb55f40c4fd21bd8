// Makes the status document of a cluster from what the core and the drivers know.

import { type ClusterHandle, Fact } from "./cluster-core.ts";
import type { Endpoint } from "./endpoint.ts";
import type { LoadBalancingOptions } from "./options.ts";
import { type ClusterStatus, type EndpointStatus, HEALTHS } from "./status.ts";

/** The document. */
export function statusOf(
  members: readonly Endpoint[],
  core: ClusterHandle,
  nowMs: number,
  { enabled = true, strategy = "performance" }: LoadBalancingOptions = {},
): ClusterStatus {
  const endpoints = members.map((endpoint) => endpointStatus(endpoint, core, nowMs));
  const well = endpoints.filter(({ state }) => state === "healthy" || state === "probation").length;
  const state = well === endpoints.length ? "healthy" : well > 0 ? "degraded" : "down";
  return { state, strategy: enabled ? strategy : "off", endpoints };
}

function endpointStatus(endpoint: Endpoint, core: ClusterHandle, nowMs: number): EndpointStatus {
  const { name, database, isWritable, priority, region, tags } = endpoint;
  core.look(endpoint.index, nowMs);
  const read = (fact: number) => core.read(fact);
  const awayUntilMs = read(Fact.AwayUntilMs);
  const status: EndpointStatus = {
    name,
    database,
    role: isWritable ? "primary" : "replica",
    priority,
    readOnly: !isWritable,
    ...(region === undefined ? {} : { region }),
    tags,
    state: HEALTHS[read(Fact.Health)] ?? "gone",
    ...(awayUntilMs > nowMs ? { awayUntilMs } : {}),
    breaker: "CLOSED",
    pending: read(Fact.Pending),
    latencyMs: read(Fact.EstimateMs),
    reads: read(Fact.Reads),
    writes: read(Fact.Writes),
    failures: read(Fact.Failures),
    refusals: read(Fact.Refusals),
    failovers: read(Fact.MovedOn),
    ejections: read(Fact.Ejections),
    replicationIndex: read(Fact.Index),
  };
  status.breaker = endpoint.driver.status().breaker.state;
  return status;
}
