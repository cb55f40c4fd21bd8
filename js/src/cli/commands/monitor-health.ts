// `monitor:health`: how the databases are, what lowered their score, which alerts fire.

import type { HealthDocument, Overview } from "../../monitor/documents.ts";
import type { Api } from "../api.ts";
import { CliError, EXIT, type ExitCode } from "../exit.ts";
import { printable } from "../printable.ts";
import { table } from "../table.ts";
import type { Terminal } from "../terminal.ts";

/** Two looks are so far apart by default, in milliseconds. */
export const WATCH_INTERVAL_MS = 5_000;

export interface HealthFlags {
  detailed?: boolean;
  watch?: boolean;
  /** Two looks are so far apart, in milliseconds. */
  interval?: number;
}

/** `/health/score`. */
interface Scores {
  score: number;
  timestamp: string;
  databases: Record<string, { score: number; parts: { name: string; points: number; isCritical: boolean }[] }>;
}

/** What this command tells of an alert, whichever route told it. */
interface Alert {
  rule: string;
  database: string;
  severity: string;
  message: string;
  stage: string;
}

type State = "healthy" | "degraded" | "unhealthy";

/** What is printed as JSON. */
interface Report {
  status: State;
  score: number;
  scope: "isolate";
  timestamp: string;
  databases: Record<string, DatabaseReport>;
  alerts: Alert[];
  health?: HealthDocument;
  overview?: Overview;
}

interface DatabaseReport {
  state: State;
  score: number;
  circuit: string;
  failures: number;
  parts: Scores["databases"][string]["parts"];
}

const WORST: readonly State[] = ["unhealthy", "degraded", "healthy"];

/** @returns 0 when all databases are healthy, else 1; with `watch` it goes on until somebody ends it. */
export async function monitorHealth(api: Api, terminal: Terminal, flags: HealthFlags): Promise<ExitCode> {
  if (flags.watch === true) return watch(api, terminal, flags);
  const report = await reportOf(api, flags);
  if (terminal.isJson) terminal.json(report);
  else terminal.say(shown(report, terminal));
  if (!api.hasToken)
    terminal.note("Without a token the alerts are those of the first database. Set SEAWALL_ADMIN_TOKEN for all.");
  return report.status === "healthy" ? EXIT.ok : EXIT.unhealthy;
}

/** For programs each look is a line; people are told what has changed. An outage of the server is told, too. */
async function watch(api: Api, terminal: Terminal, flags: HealthFlags): Promise<never> {
  let before = "";
  for (;;) {
    const look = await reportOf(api, flags).catch(unansweredOf);
    const text = look instanceof CliError ? terminal.colors.red(look.message) : shown(look, terminal);
    const now = look instanceof CliError ? look.message : sameness(look);
    if (terminal.isJson)
      terminal.json(look instanceof CliError ? { error: { code: look.code, message: look.message } } : look, true);
    else if (now !== before) terminal.say(`${before === "" ? "" : "\n"}${text}`);
    before = now;
    await new Promise((resolve) => setTimeout(resolve, flags.interval ?? WATCH_INTERVAL_MS));
  }
}

/** What may pass while somebody watches; a wrong token does not. */
function unansweredOf(error: unknown): CliError {
  if (error instanceof CliError && (error.exit === EXIT.unreachable || error.exit === EXIT.unhealthy)) return error;
  throw error;
}

/** What has to differ for people to be told again: not the time, and not how far a number moved. */
function sameness({ status, databases, alerts }: Report): string {
  const parts = Object.entries(databases).map(([name, it]) => [
    name,
    it.state,
    it.circuit,
    it.parts.map(({ name }) => name),
  ]);
  return JSON.stringify([status, parts, alerts.map(({ rule, database, stage }) => [rule, database, stage])]);
}

/** What is told of health, whoever asks. */
export async function reportOf(api: Api, { detailed = false }: HealthFlags): Promise<Report> {
  // Alone, because it probes: what is asked next is of the same probe.
  const overview = await api.document<Overview>("/status");
  const [scores, health, listed] = await Promise.all([
    api.document<Scores>("/health/score"),
    api.document<HealthDocument>("/health"),
    api.hasToken ? api.admin<{ alerts: Alert[] }>("/alerts") : undefined,
  ]);
  const names = Object.keys(overview.databases);
  const databases = names.map((name): [string, DatabaseReport] => {
    const { state, health_score, circuit_breaker } = overview.databases[name] as Overview["databases"][string];
    const { parts = [], score = health_score } = scores.databases[name] ?? {};
    return [name, { state, score, circuit: circuit_breaker.state, failures: circuit_breaker.failures, parts }];
  });
  const states = databases.map(([, { state }]) => state);
  return {
    status: WORST.find((state) => states.includes(state)) ?? "unhealthy",
    score: scores.score,
    scope: "isolate",
    timestamp: scores.timestamp,
    databases: Object.fromEntries(databases),
    alerts: listed === undefined ? ofDocument(health, names[0] ?? "") : listed.alerts.filter(isOn).map(alertOf),
    ...(detailed && { health, overview }),
  };
}

const isOn = ({ stage }: Alert) => stage !== "resolved";

function alertOf({ rule, database, severity, message, stage }: Alert): Alert {
  return { rule, database, severity, message, stage };
}

function ofDocument({ alerts = [] }: HealthDocument, database: string): Alert[] {
  return alerts.map(({ name, severity, message }) => ({ rule: name, database, severity, message, stage: "firing" }));
}

function shown(report: Report, terminal: Terminal): string {
  const { bold, dim, green, yellow, red } = terminal.colors;
  const paint = { healthy: green, degraded: yellow, unhealthy: red };
  const lines = [
    `${bold((paint[report.status] ?? red)(printable(report.status.toUpperCase())))}  score ${report.score} of 100  ${dim(`${printable(report.timestamp)}, as one isolate sees it`)}`,
    "",
    table([
      ["DATABASE", "STATE", "SCORE", "CIRCUIT", "FAILURES", "LOWERED BY"],
      ...Object.entries(report.databases).map(([name, { state, score, circuit, failures, parts }]) => [
        name,
        { text: state, paint: paint[state] ?? red },
        score,
        { text: circuit, paint: circuit === "CLOSED" ? green : circuit === "OPEN" ? red : yellow },
        failures,
        parts.map(({ name, points }) => `${name} -${points}`).join(", ") || "nothing",
      ]),
    ]),
    "",
    ...(report.alerts.length === 0
      ? ["No alert fires."]
      : report.alerts.map(({ rule, database, severity, message, stage }) => {
          const mark = severity === "critical" ? red : yellow;
          const seen = stage === "acknowledged" ? dim(" (acknowledged)") : "";
          return `${mark(printable(severity.toUpperCase()))} ${printable(rule)} of ${printable(database)}: ${printable(message)}${seen}`;
        })),
    ...(report.health === undefined ? [] : detailsOf(report.health)),
  ];
  return lines.join("\n");
}

/** The first database, closer. An unhealthy server may know nothing of it. */
function detailsOf({ database, checks, uptime }: HealthDocument): string[] {
  if (database === undefined) return [];
  const { connectionPool: pool, performance: times, reliability } = database;
  return [
    "",
    table([
      ["FIRST DATABASE", ""],
      ["connected", database.connected ? "yes" : "no"],
      ["pool", `${pool.active} of ${pool.total} in use, ${pool.idle} idle (${pool.utilization} %)`],
      ["average query", `${times.averageQueryTime} ms, ${times.slowQueries} slow`],
      ["queries", `${times.successfulQueries} successful, ${times.failedQueries} failed (${times.errorRate} %)`],
      ["operations", `${reliability.activeOperations} active, ${reliability.timeouts} timed out`],
      [
        "checks that fail",
        Object.entries(checks)
          .flatMap(([name, isWell]) => (isWell ? [] : [name]))
          .join(", ") || "none",
      ],
      ["uptime", `${Math.round(uptime / 1_000)} s`],
    ]),
  ];
}
