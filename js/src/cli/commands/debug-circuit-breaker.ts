// `debug:circuit-breaker [database]`: how each circuit stands, who holds it, when it lets a probe through, and what went wrong last.

import type { Overview } from "../../monitor/documents.ts";
import type { Api, Order } from "../api.ts";
import { databasesOf } from "../databases.ts";
import { CliError, EXIT, type ExitCode } from "../exit.ts";
import { logsOf } from "../logs.ts";
import { printable } from "../printable.ts";
import { familiesOf } from "../prometheus-text.ts";
import { table } from "../table.ts";
import type { Terminal } from "../terminal.ts";

const ERRORS = 5;

/** @throws CliError for a database that there is not. */
export async function debugCircuitBreaker(api: Api, terminal: Terminal, asked?: string): Promise<ExitCode> {
  const overview = await api.document<Overview>("/status");
  const databases = databasesOf(overview, asked);
  const [text, logs, control] = await Promise.all([
    api.text("/health/metrics?names=canonical", "text/plain"),
    api.hasToken ? logsOf(api, "warn", 1, 1_000) : undefined,
    api.hasToken ? api.admin<Order>("/orders/control").catch(storeless) : undefined,
  ]);
  const families = familiesOf(text);
  const counted = (family: string, pool: string, label: string) => {
    const series = families.find(({ name }) => name === family)?.series ?? [];
    const own = series.filter(({ labels, value }) => labels.pool === pool && value);
    return Object.fromEntries(own.map(({ labels, value }) => [labels[label] ?? "all", value]));
  };
  const now = Date.parse(overview.timestamp);
  const circuits = databases.map(([name, { circuit_breaker, state, health_score }]) => {
    const { retry_at: retryAt, forced = null, failures } = circuit_breaker;
    return {
      name,
      state: circuit_breaker.state,
      failures,
      retryAt: retryAt ?? null,
      retryInMs: retryAt === undefined ? null : Math.max(0, Date.parse(retryAt) - now),
      heldAs: forced,
      database: { state, score: health_score },
      outcomes: counted("seawall_operations_total", name, "outcome"),
      refusals: counted("seawall_refusals_total", name, "code"),
      transitions: counted("seawall_circuit_breaker_transitions_total", name, "to"),
    };
  });
  const errors = logs?.records.slice(-ERRORS) ?? null;
  const held = control?.value ?? null;
  if (terminal.isJson) {
    const byName = Object.fromEntries(circuits.map(({ name, ...circuit }) => [name, circuit]));
    const { scope, timestamp } = overview;
    terminal.json({ scope, timestamp, circuits: byName, control: held, errors });
    return EXIT.ok;
  }
  const { green, yellow, red, dim, bold } = terminal.colors;
  const said = (counts: object) =>
    Object.entries(counts)
      .map(([what, count]) => `${what} ${count}`)
      .join(", ");
  terminal.say(
    table([
      ["DATABASE", "CIRCUIT", "FAILURES", "NEXT PROBE", "HELD", "OUTCOMES", "REFUSALS"],
      ...circuits.map(({ name, state, failures, retryInMs, heldAs, outcomes, refusals }) => [
        name,
        { text: state, paint: state === "CLOSED" ? green : state === "OPEN" ? red : yellow },
        failures,
        retryInMs === null ? "" : `in ${Math.ceil(retryInMs / 1_000)} s`,
        heldAs ?? "",
        said(outcomes),
        said(refusals),
      ]),
    ]),
  );
  if (errors === null) terminal.note("Without a token nobody tells what went wrong last. Set SEAWALL_ADMIN_TOKEN.");
  else {
    terminal.say(`\n${bold("The last warnings and errors of an hour")}`);
    for (const { time, msg, code = "" } of errors)
      terminal.say(`${dim(printable(time))} ${printable(msg)} ${printable(code)}`);
    if (errors.length === 0) terminal.say("none");
  }
  if (circuits.some(({ state }) => state !== "CLOSED"))
    terminal.note('Next: seawall monitor:health --detailed, then seawall flags:disable ENABLE_CIRCUIT_BREAKER "why"');
  return EXIT.ok;
}

/** Without a store of orders nobody holds a circuit by one. */
function storeless(error: unknown): undefined {
  if (error instanceof CliError && error.exit === EXIT.unhealthy) return undefined;
  throw error;
}
