// What a collector gets: a real server takes traces and logs, and OpenTelemetry's own schema reads them, strictly.

import { createClient, type LogRecord } from "seawall";
import { createMonitor } from "seawall/monitor";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startSqld } from "../support/sqld.mjs";
import { type Collector, startCollector } from "./collector.ts";

let collector: Collector;
let sqld: Awaited<ReturnType<typeof startSqld>>;

beforeAll(async () => {
  sqld = await startSqld();
  collector = await startCollector();
});

afterAll(async () => {
  await sqld?.stop();
  await collector?.stop();
});

test("TRC-01 and TRC-03: traces, logs and metrics are what OpenTelemetry's schema says, with the parents that they have", async () => {
  collector.clear();
  const { endpoint, got } = collector;
  const records: LogRecord[] = [];
  const client = createClient({
    url: sqld.url,
    seawall: {
      tracing: { enabled: true, endpoint, headers: { "x-key": "k" }, serviceName: "shop", propagate: true },
      logging: { level: "debug", sink: (record) => records.push(record) },
    },
  });
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const own = client.seawall.withTrace({ traceparent: `00-${traceId}-b7ad6b7169203331-01`, tracestate: "a=1" });
  await own.batch(["CREATE TABLE IF NOT EXISTS notes (text TEXT UNIQUE)", "DELETE FROM notes"], "write");
  await own.execute({ sql: "INSERT INTO notes VALUES (?)", args: ["jabberwock"] });
  await own.execute({ sql: "INSERT INTO notes VALUES (?)", args: ["jabberwock"] }).catch(() => {});
  const transaction = await own.transaction("read");
  await transaction.execute("SELECT text FROM notes WHERE text <> 'x'");
  await transaction.rollback();
  await client.seawall.telemetry.flush();

  const monitor = createMonitor({
    databases: { primary: client },
    telemetry: { otlp: { endpoint, headers: { "x-key": "k" }, serviceName: "shop" } },
  });
  await monitor.tick();
  client.close();

  expect(got.map(({ path }) => path)).toContain("/v1/traces");
  expect(got.map(({ path }) => path)).toContain("/v1/logs");
  expect(got.map(({ path }) => path)).toContain("/v1/metrics");
  for (const { headers } of got) expect(headers).toMatchObject({ "x-key": "k", "content-type": "application/json" });
  // biome-ignore lint/suspicious/noExplicitAny: what was sent, looked into freely.
  const all = (await collector.parsed()) as any[];
  const spans = all.flatMap(({ resourceSpans = [] }) => resourceSpans[0]?.scopeSpans[0].spans ?? []);
  const hex = (base64: string) => Buffer.from(base64, "base64").toString("hex");
  const names = spans.map(({ name }) => name);
  for (const name of ["BATCH notes", "INSERT notes", "transaction", "SELECT notes", "ROLLBACK"]) {
    expect(names).toContain(name);
  }
  for (const span of spans) {
    expect(hex(span.traceId)).toBe(traceId);
    expect(span.traceState).toBe("a=1");
    const isRoot = hex(span.parentSpanId) === "b7ad6b7169203331";
    const above = spans.find(({ spanId }) => spanId === span.parentSpanId);
    expect(isRoot || above !== undefined).toBe(true);
  }
  const failed = spans.find(({ name, status }) => name === "INSERT notes" && status?.code === "STATUS_CODE_ERROR");
  const attributes = Object.fromEntries(
    failed.attributes.map(({ key, value }: { key: string; value: object }) => [key, Object.values(value)[0]]),
  );
  expect(attributes).toMatchObject({ "db.system.name": "sqlite", "server.address": "127.0.0.1" });
  expect(attributes["db.response.status_code"]).toMatch(/^SQLITE_CONSTRAINT/);

  const metrics = all.flatMap(({ resourceMetrics = [] }) => resourceMetrics[0]?.scopeMetrics[0].metrics ?? []);
  const durations = metrics.find(({ name }) => name === "db.client.operation.duration");
  expect(durations).toMatchObject({
    unit: "s",
    histogram: { aggregationTemporality: "AGGREGATION_TEMPORALITY_DELTA" },
  });
  expect(durations.histogram.dataPoints[0].explicitBounds).toEqual([0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]);
  expect(durations.histogram.dataPoints[0].bucketCounts).toHaveLength(10);

  const logs = all.flatMap(({ resourceLogs = [] }) => resourceLogs[0]?.scopeLogs[0].logRecords ?? []);
  expect(logs).toHaveLength(records.length);
  const failure = logs.find(({ severityNumber }) => severityNumber === "SEVERITY_NUMBER_ERROR");
  expect(failure.body).toEqual({ stringValue: "operation failed" });
  expect(hex(failure.traceId)).toBe(traceId);
  expect(JSON.stringify(got)).not.toContain("jabberwock");
});

test("TRC-05: the log route of the package answers whoever has the token, by level and hours", async () => {
  const client = createClient({ url: sqld.url, seawall: { logging: { level: "debug", sink: () => {} } } });
  await client.execute("SELECT 1");
  await client.execute("SELECT nothing FROM nowhere").catch(() => {});
  const adminToken = "0123456789abcdef0123456789abcdef";
  const monitor = createMonitor({ databases: { primary: client }, adminToken });
  const url = "https://example.com/admin/api/logs";
  expect((await monitor.handle(new Request(url))).status).toBe(401);
  const ask = async (query: string) => {
    const headers = { authorization: `Bearer ${adminToken}` };
    const response = await monitor.handle(new Request(`${url}?${query}`, { headers }));
    return { status: response.status, body: (await response.json()) as { records: LogRecord[]; code?: string } };
  };
  const all = await ask("hours=1");
  expect(all.body.records.map(({ msg }) => msg)).toEqual(["query", "operation failed"]);
  const errors = await ask("level=error&hours=2");
  expect(errors.body.records).toMatchObject([{ level: "error", msg: "operation failed", operation: "SELECT nowhere" }]);
  expect(await ask("level=loud")).toMatchObject({ status: 400, body: { code: "QUERY_INVALID" } });
  client.close();
});
