// The deployable Worker in workerd: what it logs of a database that fails, who may ask for it, and what a collector gets.
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Module } from "../support/workerd.mjs";
import { type Rig, startRig, until } from "./rig.ts";

const built = (name: string) => fileURLToPath(new URL(`../../build/${name}`, import.meta.url));
const modules: Module[] = [
  { type: "ESModule", path: "index.js", contents: readFileSync(built("index.js"), "utf8") },
  { type: "CompiledWasm", path: "index_bg.wasm", contents: new Uint8Array(readFileSync(built("index_bg.wasm"))) },
];
const SECRET = "token-that-nobody-may-see";
const KEY = "key-that-nobody-may-see";
const ADMIN = "admin-token-that-nobody-may-see-0123456789";
const TRACE = "0af7651916cd43dd8448eb211c80319c";

let rig: Rig;
let collector: Server;
const got: { path: string; key: unknown; body: string }[] = [];

beforeAll(async () => {
  collector = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      got.push({ path: request.url ?? "", key: request.headers["x-key"], body });
      response.writeHead(200).end("{}");
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  rig = await startRig((url) => ({
    logging: {
      modules,
      bindings: {
        TURSO_DATABASE_URL: url,
        TURSO_AUTH_TOKEN: SECRET,
        CB_FAILURE_THRESHOLD: "1",
        SEAWALL_ADMIN_TOKEN: ADMIN,
        OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
        OTEL_EXPORTER_OTLP_HEADERS: `x-key=${KEY}`,
        OTEL_METRIC_EXPORT_INTERVAL: "1000",
        OTEL_SERVICE_NAME: "shop",
      },
    },
  }));
});

afterAll(async () => {
  await rig?.stop();
  collector?.closeAllConnections();
  await new Promise((resolve) => collector?.close(resolve));
});

test("TRC-03, TRC-05 and H140: a failing database is in the log with the trace of the request that met it, and in a collector", async () => {
  await rig.proxy.set({ kind: "refuse" });
  await rig.ask("logging", "/api/health", { headers: { traceparent: `00-${TRACE}-b7ad6b7169203331-01` } });
  await until("a record", async () => (await logs("level=error&hours=1")).length > 0);
  const [failed] = await logs("level=error&hours=1");
  expect(failed).toMatchObject({ level: "error", msg: "probe failed", traceId: TRACE, spanId: "b7ad6b7169203331" });
  const levels = (await logs("level=warn")).map(({ level }) => level);
  expect(levels).not.toContain("info");
  expect(levels).not.toContain("debug");

  await until("an export", async () => {
    // Background work begins after a response.
    await rig.ask("logging", "/api/health/live");
    return got.some(({ path, body }) => path === "/v1/logs" && body.includes("probe failed"));
  });
  const sent = got.find(({ path, body }) => path === "/v1/logs" && body.includes("probe failed"));
  expect(sent?.key).toBe(KEY);
  expect(sent?.body).toContain(`"traceId":"${TRACE}"`);
  expect(sent?.body).toContain('"stringValue":"shop"');

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
  const hostile = `00-${"a".repeat(31)}<-b7ad6b7169203331-01`;
  await rig.ask("logging", "/api/health", { headers: { traceparent: hostile, tracestate: "x=leak" } });
  const all = JSON.stringify([await logs("hours=1&lines=1000"), got, rig.log()]);
  for (const text of [hostile, "x=leak", SECRET, ADMIN]) expect(all).not.toContain(text);
  expect(JSON.stringify([await logs("hours=1"), got.map(({ body }) => body), rig.log()])).not.toContain(KEY);
});

async function logs(query: string): Promise<Record<string, unknown>[]> {
  const headers = { authorization: `Bearer ${ADMIN}` };
  const response = await rig.ask("logging", `/admin/api/logs?${query}`, { headers });
  expect(response.status).toBe(200);
  return ((await response.json()) as { records: Record<string, unknown>[] }).records;
}
