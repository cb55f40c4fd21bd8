// `debug:connections [database]`: each connection of a pool, and what became of those before.

import type { Overview } from "../../monitor/documents.ts";
import type { Api } from "../api.ts";
import { databasesOf } from "../databases.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { printable } from "../printable.ts";
import { familiesOf } from "../prometheus-text.ts";
import { table } from "../table.ts";
import type { Terminal } from "../terminal.ts";
import { percent } from "./monitor-connections.ts";

/** @throws CliError for a database that there is not. */
export async function debugConnections(api: Api, terminal: Terminal, asked?: string): Promise<ExitCode> {
  const overview = await api.document<Overview>("/status");
  const databases = databasesOf(overview, asked);
  const families = familiesOf(await api.text("/health/metrics?names=canonical", "text/plain"));
  const events = families.find(({ name }) => name === "seawall_connection_events_total")?.series ?? [];
  const pools = databases.map(([name, { pool_stats: pool, connections = [] }]) => ({
    name,
    active: pool.active_connections,
    idle: pool.idle_connections ?? 0,
    waiting: pool.pending_requests ?? 0,
    utilization: pool.pool_utilization,
    connections,
    history: Object.fromEntries(
      events.flatMap(({ labels, value }) => (labels.pool === name && value ? [[labels.event, value]] : [])),
    ) as Record<string, number>,
  }));
  if (terminal.isJson) {
    const { scope, timestamp } = overview;
    const byName = Object.fromEntries(pools.map(({ name, ...pool }) => [name, pool]));
    terminal.json({ scope, timestamp, databases: byName });
    return EXIT.ok;
  }
  for (const { name, active, idle, waiting, utilization, connections, history } of pools) {
    const { bold, red } = terminal.colors;
    terminal.say(
      `${bold(printable(name))}: ${active} in use, ${idle} idle, ${waiting} waiting, ${percent(utilization)} used`,
    );
    if (connections.length > 0)
      terminal.say(
        table([
          ["CONNECTION", "STATE", "USES", "ERRORS"],
          ...connections.map(({ id, state, uses, errors }) => [
            id,
            state,
            uses,
            { text: String(errors), paint: errors > 0 ? red : String },
          ]),
        ]),
      );
    const lived = Object.entries(history).map(([event, count]) => `${printable(event)} ${count}`);
    terminal.say(`history: ${lived.join(", ") || "nothing so far"}\n`);
  }
  return EXIT.ok;
}
