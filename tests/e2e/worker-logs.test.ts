// The deployable Worker in workerd: what it logs of a database that fails, who may ask for it, and what a collector gets.
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Collector, KEY, PARENT, SECRET, startTold, type Told, TRACE } from "./collector.ts";
import { type Rig, until } from "./rig.ts";

const ADMIN = "admin-token-that-nobody-may-see-0123456789";

let told: Told;
let rig: Rig;
let collector: Collector;

beforeAll(async () => {
  told = await startTold((_, logging) => ({
    logging: { ...logging, CB_FAILURE_THRESHOLD: "1", SEAWALL_ADMIN_TOKEN: ADMIN },
  }));
  ({ rig, collector } = told);
});

afterAll(() => told?.stop());

test("TRC-03, TRC-05 and H140: a failing database is in the log with the trace of the request that met it, and in a collector", async () => {
  await rig.proxy.set({ kind: "refuse" });
  await rig.ask("logging", "/api/health", { headers: { traceparent: `00-${TRACE}-${PARENT}-01` } });
  await until("a record", async () => (await logs("level=error&hours=1")).length > 0);
  const [failed] = await logs("level=error&hours=1");
  expect(failed).toMatchObject({ level: "error", msg: "probe failed", traceId: TRACE, spanId: PARENT });
  const levels = (await logs("level=warn")).map(({ level }) => level);
  expect(levels).not.toContain("info");
  expect(levels).not.toContain("debug");

  const sent = await told.exported("logging", ({ path, body }) => path === "/v1/logs" && body.includes("probe failed"));
  expect(sent.headers["x-key"]).toBe(KEY);
  expect(sent.body).toContain(`"traceId":"${TRACE}"`);
  expect(sent.body).toContain('"stringValue":"shop"');

  const line = rig
    .log()
    .split("\n")
    .find((text) => text.includes('"probe failed"'));
  expect(JSON.parse((line ?? "").slice((line ?? "").indexOf("{")))).toMatchObject({ level: "error", traceId: TRACE });
});

test("TRC-05: without the admin token nobody is told anything", async () => {
  for (const headers of [{}, { authorization: `Bearer ${SECRET}` }]) {
    const response = await rig.ask("logging", "/admin/api/logs", { headers });
    expect(response.status).toBe(401);
    expect(await response.text()).not.toContain("probe failed");
  }
});

test("H140: a trace that is not valid is repeated nowhere", async () => {
  const hostile = `00-${"a".repeat(31)}<-${PARENT}-01`;
  await rig.ask("logging", "/api/health", { headers: { traceparent: hostile, tracestate: "x=leak" } });
  const { got } = collector;
  const bodies = got.map(({ path, body }) => [path, body]);
  const all = JSON.stringify([await logs("hours=1&lines=1000"), bodies, rig.log()]);
  for (const text of [hostile, "x=leak", SECRET, ADMIN, KEY]) expect(all).not.toContain(text);
});

async function logs(query: string): Promise<Record<string, unknown>[]> {
  const headers = { authorization: `Bearer ${ADMIN}` };
  const response = await rig.ask("logging", `/admin/api/logs?${query}`, { headers });
  expect(response.status).toBe(200);
  return ((await response.json()) as { records: Record<string, unknown>[] }).records;
}
