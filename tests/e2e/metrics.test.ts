// Metrics as real tools read them: promtool of Prometheus, and Python's parser of OpenMetrics.
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createClient } from "../../js/dist/index.js";
import { createMonitor, type Monitor } from "../../js/dist/monitor/index.js";
import { promtool } from "../support/prometheus.mjs";
import { python } from "../support/python.mjs";
import { startSqld } from "../support/sqld.mjs";
import { OPENMETRICS_PARSER as PARSER, WAIVED } from "./metric-rules.ts";

const HOSTILE = ['a"} 1\nevil_metric 1', "\\", "\n", "🦀", "x".repeat(10_000), "__name__", "le", "quantile"];

let server: Awaited<ReturnType<typeof startSqld>>;
let client: ReturnType<typeof createClient>;
let monitor: Monitor;

beforeAll(async () => {
  server = await startSqld();
  client = createClient({ url: server.url });
  await client.execute("SELECT 1");
  await expect(client.execute("SELECT nothing FROM nowhere")).rejects.toThrow();
  for (const name of HOSTILE) {
    await client.execute({ sql: "SELECT 1", seawall: { operationName: name, tableName: name } });
  }
  monitor = createMonitor({ databases: { primary: client } });
  const orders = monitor.metrics.counter("orders", { labels: ["country"] });
  for (const country of HOSTILE) orders.add(1, { country });
  orders.add(Number.NaN);
  orders.add(-1);
  monitor.metrics.gauge("carts_open").set(3);
  monitor.metrics.histogram("cart_size", { from: 1, to: 1_000 }).observe(7);
});

afterAll(async () => {
  monitor?.close();
  client?.close();
  await server?.stop();
});

test("MET-31 and MET-32: promtool takes what `metricsText()` writes, but for the two names that are kept", async () => {
  const text = await monitor.metricsText();
  const { code, output } = await promtool(["check", "metrics"], text);
  const complaints = output.split("\n").filter((line) => line !== "");
  expect(complaints.sort()).toEqual(WAIVED);
  expect(code).toBe(3);
  expect(text).not.toMatch(/^evil_metric/m);
  expect(text).toMatch(/^db_queries_total 10$/m);
  expect(text).toMatch(/^db_errors_total\{type="statement"\} 1$/m);
  expect(text).toMatch(/^db_query_duration_seconds_count 10$/m);
  expect(text).toMatch(/^carts_open 3$/m);
  expect(text).toMatch(/^seawall_dropped_observations_total\{reason="value"\} 2$/m);
  expect(await promtool(["check", "metrics"], await monitor.metricsText({ names: "canonical" }))).toEqual({
    code: 0,
    output: "",
  });
  await expect(monitor.metricsText({ names: "nope" })).rejects.toThrow(RangeError);
});

test("H138: the OpenMetrics text passes Python's parser, whole", async () => {
  const response = await monitor.handle(
    new Request("http://localhost/api/health/metrics", { headers: { accept: "application/openmetrics-text" } }),
  );
  expect(response.headers.get("content-type")).toBe("application/openmetrics-text; version=1.0.0; charset=utf-8");
  const text = await response.text();
  const { output, error } = await python(["prometheus_client==0.26.0"], PARSER, text);
  expect(error).toBe("");
  const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  expect(Number(output.split(" ")[1])).toBe(samples.length);
});

test("MET-37: the example configuration of docs/metrics.md is one that Prometheus takes", async () => {
  const page = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");
  const example = /```yaml\n(.+?)```/s.exec(page)?.[1] ?? "";
  expect(example).toContain("job_name: carmen-database");
  const folder = await mkdtemp(join(tmpdir(), "seawall-metrics-"));
  try {
    const file = join(folder, "prometheus.yml");
    await writeFile(file, example);
    const { code, output } = await promtool(["check", "config", file]);
    expect(output).toContain("SUCCESS");
    expect(code).toBe(0);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
