// The deployable Worker in workerd: which spans a collector gets of what the Worker asks its database, and what the database
// is told of them.
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Collector, KEY, PARENT, SECRET, startTold, type Told, TRACE } from "./collector.ts";
import { type Rig, until } from "./rig.ts";

let told: Told;
let rig: Rig;
let collector: Collector;

beforeAll(async () => {
  told = await startTold((own, traced) => ({
    traced,
    telling: { ...traced, TRACING_PROPAGATE: "true" },
    off: { ...traced, TRACING_ENABLED: "false", TRACING_PROPAGATE: "true" },
    alone: { ...own, TRACING_PROPAGATE: "true" },
  }));
  ({ rig, collector } = told);
});

afterAll(() => told?.stop());

beforeEach(async () => {
  await rig.proxy.set({ kind: "pass" });
  collector.clear();
});

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  traceState?: string;
  name: string;
  kind: string;
  status?: { code?: string };
  attributes: Record<string, unknown>;
}

/** Has a Worker ask its database once, for a request with these headers. */
async function probe(worker: string, headers: Record<string, string> = {}): Promise<void> {
  const before = rig.proxy.requests;
  await until("a probe", async () => {
    await rig.ask(worker, "/api/health", { headers });
    return rig.proxy.requests > before;
  });
}

/** A request of this kind that the collector gets. */
const exported = (worker: string, path: string) => told.exported(worker, (got) => got.path === path);

/** The spans that the collector got, as OpenTelemetry's schema reads them, with ids in hexadecimal. */
async function spans(): Promise<Span[]> {
  // biome-ignore lint/suspicious/noExplicitAny: what was sent, looked into freely.
  const all = (await collector.parsed()) as any[];
  const hex = (base64: string | undefined) =>
    base64 === undefined ? "" : Buffer.from(base64, "base64").toString("hex");
  return all
    .flatMap(({ resourceSpans = [] }) => resourceSpans[0]?.scopeSpans[0].spans ?? [])
    .map((span) => ({
      ...span,
      traceId: hex(span.traceId),
      spanId: hex(span.spanId),
      parentSpanId: hex(span.parentSpanId),
      attributes: Object.fromEntries(
        // biome-ignore lint/suspicious/noExplicitAny: as above.
        (span.attributes ?? []).map(({ key, value }: any) => [key, Object.values(value)[0]]),
      ),
    }));
}

test("TRC-01: what the Worker asks its database is one client span with its parts, in the trace of the request", async () => {
  await probe("traced", { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: "congo=t61rcWkgMzE" });
  const request = await exported("traced", "/v1/traces");
  const found = (await spans()).filter(({ traceId }) => traceId === TRACE);
  expect(found.map(({ name }) => name)).toEqual(["acquire", "attempt", "healthCheck"]);
  const operation = found[2] as Span;
  expect(operation).toMatchObject({ kind: "SPAN_KIND_CLIENT", parentSpanId: PARENT, traceState: "congo=t61rcWkgMzE" });
  const { host, hostname, port } = new URL(rig.proxy.url);
  expect(operation.attributes).toEqual({
    "db.system.name": "sqlite",
    "seawall.dialect": "libsql",
    "db.namespace": host,
    "db.operation.name": "healthCheck",
    "server.address": hostname,
    "server.port": port,
  });
  for (const part of found.slice(0, 2)) {
    expect(part).toMatchObject({ kind: "SPAN_KIND_INTERNAL", parentSpanId: operation.spanId });
  }
  expect(request.headers).toMatchObject({ "x-key": KEY, "content-type": "application/json" });
  expect(request.body).toContain('"stringValue":"shop"');
  // The database is told only where that is wanted.
  expect(rig.proxy.latestHeaders.traceparent).toBeUndefined();
});

test("TRC-01: a failing database is an error by its code, and no secret is in what is sent", async () => {
  await rig.proxy.set({ kind: "refuse" });
  await until("a failure", async () => {
    await rig.ask("traced", "/api/health");
    return collector.got.some(({ path, body }) => path === "/v1/traces" && body.includes("error.type"));
  });
  const found = await spans();
  const failed = (name: string) => found.find((span) => span.name === name && span.status !== undefined);
  const status = { code: "STATUS_CODE_ERROR" };
  expect(failed("attempt")).toMatchObject({ status, attributes: { "error.type": "CONNECTION_LOST" } });
  expect(failed("healthCheck")).toMatchObject({ status, attributes: { "error.type": "RETRIES_EXHAUSTED" } });
  const bodies = JSON.stringify(collector.got.map(({ body }) => body));
  for (const secret of [SECRET, KEY]) expect(bodies).not.toContain(secret);
});

test("TRC-01: the database is told of the attempt that asks it, where that is wanted", async () => {
  await probe("telling", { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: "a=1" });
  const { traceparent, tracestate } = rig.proxy.latestHeaders;
  await exported("telling", "/v1/traces");
  const attempt = (await spans()).find(({ name, traceId }) => name === "attempt" && traceId === TRACE);
  expect(traceparent).toBe(`00-${TRACE}-${attempt?.spanId}-01`);
  expect(tracestate).toBe("a=1");
});

test("H140: a trace that is not recorded makes no span and goes on, and one that is not valid does not", async () => {
  await probe("telling", { traceparent: `00-${TRACE}-${PARENT}-00` });
  expect(rig.proxy.latestHeaders.traceparent).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`));
  await probe("telling", { traceparent: `00-${TRACE}<-${PARENT}-01`, tracestate: "x=leak" });
  expect(rig.proxy.latestHeaders.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  expect(rig.proxy.latestHeaders.tracestate).toBeUndefined();
  await exported("telling", "/v1/traces");
  const found = await spans();
  expect(found.filter(({ traceId }) => traceId === TRACE)).toEqual([]);
  expect(found.find(({ name }) => name === "healthCheck")?.parentSpanId).toBe("");
});

test("TRC-02: without a collector, and where it is turned off, nothing is traced and nobody told", async () => {
  for (const worker of ["off", "alone"]) {
    await probe(worker, { traceparent: `00-${TRACE}-${PARENT}-01` });
    expect(rig.proxy.latestHeaders.traceparent, worker).toBeUndefined();
  }
  await exported("off", "/v1/metrics");
  expect(collector.got.map(({ path }) => path)).not.toContain("/v1/traces");
});
