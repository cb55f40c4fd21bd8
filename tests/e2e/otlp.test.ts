// What a collector gets: a real server takes traces and logs, and OpenTelemetry's own schema reads them, strictly.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createClient, type LogRecord } from "seawall";
import { createMonitor } from "seawall/monitor";
import { afterAll, beforeAll, expect, test } from "vitest";
import { python } from "../support/python.mjs";
import { startSqld } from "../support/sqld.mjs";

interface Got {
  path: string;
  headers: Record<string, unknown>;
  body: string;
}

const PACKAGES = ["opentelemetry-proto==1.45.2"];
/** Ids are bytes in the schema, base64 in its own JSON and hexadecimal in OTLP's: the one thing to convert. */
const CHECK = `
import base64, json, sys
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
TYPES = {"/v1/traces": ExportTraceServiceRequest, "/v1/logs": ExportLogsServiceRequest, "/v1/metrics": ExportMetricsServiceRequest}
def converted(value):
    if isinstance(value, list):
        return [converted(item) for item in value]
    if isinstance(value, dict):
        ids = ("traceId", "spanId", "parentSpanId")
        return {k: base64.b64encode(bytes.fromhex(v)).decode() if k in ids else converted(v) for k, v in value.items()}
    return value
found = []
for request in json.load(sys.stdin):
    message = TYPES[request["path"]]()
    json_format.ParseDict(converted(json.loads(request["body"])), message)
    found.append(json_format.MessageToDict(message))
print(json.dumps(found))
`;

let collector: Server;
let endpoint: string;
let got: Got[] = [];
let sqld: Awaited<ReturnType<typeof startSqld>>;

beforeAll(async () => {
  sqld = await startSqld();
  collector = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      got.push({ path: request.url ?? "", headers: request.headers, body });
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
});

afterAll(async () => {
  await sqld?.stop();
  collector?.closeAllConnections();
  await new Promise((resolve) => collector?.close(resolve));
});

/** What OpenTelemetry's schema makes of what was sent; throws for what it does not know. */
async function parsed(): Promise<unknown[]> {
  const { code, output, error } = await python(PACKAGES, CHECK, JSON.stringify(got));
  expect(error).toBe("");
  expect(code).toBe(0);
  return JSON.parse(output);
}

test("TRC-01 and TRC-03: traces, logs and metrics are what OpenTelemetry's schema says, with the parents that they have", async () => {
  got = [];
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
  const all = (await parsed()) as any[];
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
