// `debug:performance`: how long attempts take, and which named operations take longest.

import type { Api } from "../api.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { type Family, familiesOf, type Histogram, quantile } from "../prometheus-text.ts";
import { table } from "../table.ts";
import type { Terminal } from "../terminal.ts";

const SLOWEST = 10;

/** Numbers of all isolates where metrics are shared, else of the one that answers. */
export async function debugPerformance(api: Api, terminal: Terminal): Promise<ExitCode> {
  const families = familiesOf(await api.text("/health/metrics?names=canonical", "text/plain"));
  const named = (name: string) => families.find((family) => family.name === name);
  const waits = together(named("db_client_connection_wait_time_seconds"), "pool");
  const databases = Object.entries(together(named("db_client_operation_duration_seconds"), "db_namespace")).map(
    ([name, times]) => ({
      name,
      count: times.count,
      meanMs: mean(times),
      p50Ms: below(times, 0.5),
      p95Ms: below(times, 0.95),
      p99Ms: below(times, 0.99),
      waitP95Ms: waits[name] === undefined ? null : below(waits[name], 0.95),
      slow: valueOfPool(named("seawall_slow_operations_total"), name),
    }),
  );
  const slowest = namedOperations(
    named("seawall_named_operations_total"),
    named("seawall_named_operations_seconds_total"),
  );
  if (terminal.isJson) {
    const byName = Object.fromEntries(databases.map(({ name, ...times }) => [name, times]));
    terminal.json({ timestamp: new Date().toISOString(), databases: byName, slowest });
    return EXIT.ok;
  }
  terminal.say(
    table([
      ["DATABASE", "ATTEMPTS", "MEAN", "P50", "P95", "P99", "WAIT P95", "SLOW"],
      ...databases.map(({ name, count, meanMs, p50Ms, p95Ms, p99Ms, waitP95Ms, slow }) => [
        name,
        count,
        `${meanMs} ms`,
        `< ${p50Ms} ms`,
        `< ${p95Ms} ms`,
        `< ${p99Ms} ms`,
        waitP95Ms === null ? "" : `< ${waitP95Ms} ms`,
        slow,
      ]),
    ]),
  );
  if (slowest.length > 0)
    terminal.say(
      `\n${table([["SLOWEST OPERATIONS", "TIMES", "MEAN"], ...slowest.map(({ operation, count, meanMs }) => [operation, count, `${meanMs} ms`])])}`,
    );
  else terminal.note("No operation has a name: give operationName, and the slowest are told here.");
  return EXIT.ok;
}

/** Series with the same label, added up. Buckets of one family have the same bounds. */
function together(family: Family | undefined, label: string): Record<string, Histogram> {
  const all = new Map<string, Histogram>();
  for (const { labels, histogram } of family?.series ?? []) {
    if (histogram === undefined) continue;
    const name = labels[label] ?? "";
    const before = all.get(name);
    const buckets = histogram.buckets.map(({ le, count }, at) => ({
      le,
      count: count + (before?.buckets[at]?.count ?? 0),
    }));
    const count = histogram.count + (before?.count ?? 0);
    all.set(name, { count, sum: histogram.sum + (before?.sum ?? 0), buckets });
  }
  return Object.fromEntries(all);
}

function namedOperations(counts: Family | undefined, seconds: Family | undefined) {
  const keyOf = (labels: Record<string, string>) => JSON.stringify(Object.entries(labels).sort());
  const times = new Map((seconds?.series ?? []).map(({ labels, value }) => [keyOf(labels), value ?? 0]));
  return (counts?.series ?? [])
    .flatMap(({ labels, value }) => {
      const { operation = Object.values(labels).join(" ") } = labels;
      return value ? [{ operation, count: value, meanMs: ms((times.get(keyOf(labels)) ?? 0) / value) }] : [];
    })
    .sort((one, other) => other.meanMs - one.meanMs)
    .slice(0, SLOWEST);
}

function valueOfPool(family: Family | undefined, pool: string): number {
  return family?.series.find(({ labels }) => labels.pool === pool)?.value ?? 0;
}

const ms = (seconds: number) => Number((seconds * 1_000).toPrecision(3));
const mean = ({ count, sum }: Histogram) => (count === 0 ? 0 : ms(sum / count));
const below = (histogram: Histogram, ratio: number) => (histogram.count === 0 ? 0 : ms(quantile(histogram, ratio)));
