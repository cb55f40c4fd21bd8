// `monitor:connections`: the pool of each database, and the circuit before it.

import type { Overview } from "../../monitor/documents.ts";
import type { Api } from "../api.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { table } from "../table.ts";
import type { Terminal } from "../terminal.ts";

/** @returns 0, however the pools are: `monitor:health` judges. */
export async function monitorConnections(api: Api, terminal: Terminal): Promise<ExitCode> {
  const { scope, timestamp, databases } = await api.document<Overview>("/status");
  const pools = Object.entries(databases).map(([name, { config, pool_stats, circuit_breaker, state, ...rest }]) => {
    const { type, min_connections: min, max_connections: max } = config;
    const { active_connections: active, pool_utilization: utilization, success_rate: successRate } = pool_stats;
    // A server of an older release does not tell the last three.
    const { idle_connections: idle = 0, pending_requests: waiting = 0 } = pool_stats;
    const { connections = [] } = rest;
    const circuit = circuit_breaker.state;
    return { name, type, state, active, idle, waiting, min, max, utilization, successRate, circuit, connections };
  });
  if (terminal.isJson) {
    const byName = pools.map(({ name, ...pool }) => [name, pool]);
    terminal.json({ scope, timestamp, databases: Object.fromEntries(byName) });
    return EXIT.ok;
  }
  const { green, yellow, red } = terminal.colors;
  terminal.say(
    table([
      ["DATABASE", "TYPE", "IN USE", "IDLE", "WAITING", "MIN", "MAX", "UTILIZATION", "SUCCESS", "CIRCUIT"],
      ...pools.map(({ name, type, active, idle, waiting, min, max, utilization, successRate, circuit }) => [
        name,
        type,
        active,
        idle,
        waiting,
        min,
        max,
        { text: percent(utilization), paint: utilization > 0.8 ? red : String },
        { text: percent(successRate), paint: successRate < 0.95 ? red : String },
        { text: circuit, paint: circuit === "CLOSED" ? green : circuit === "OPEN" ? red : yellow },
      ]),
    ]),
  );
  return EXIT.ok;
}

/** A ratio for people. */
export const percent = (ratio: number) => `${Math.round(ratio * 1_000) / 10} %`;
