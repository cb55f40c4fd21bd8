// The memory of both wasm modules after very many calls: it may grow while it is warm, and never for each call.
import { expect, test } from "vitest";
import { describeStatement, judge, normalText } from "../src/core.ts";
import { wasmMemory } from "../src/generated/core.js";
import { monitorOn } from "../src/monitor/monitor.ts";
import { FakeDatabase, openClient } from "./fake-database.ts";
import { failed, guardOf, platformOf, READ, WRITE } from "./guards.ts";

const CALLS = 1_000_000;
/** Until everything has happened once that keeps memory: full histories, full notes, a whole window of the breaker. */
const WARM = 100_000;
const REQUESTS = 3_000;

/** One of everything that crosses into the core. */
function callsOf() {
  const guard = guardOf({ circuitBreaker: { enabled: false }, retry: { attempts: 1 } });
  const refuse = async () => {
    throw failed("SQLITE_CONSTRAINT", 200);
  };
  const fine = async () => 1;
  return async (n: number) => {
    await guard.call(fine);
    if (n % 100 === 0) await guard.call(refuse).catch(() => {});
    if (n % 100 === 1) await guard.run(READ, fine);
    if (n % 100 === 2) await guard.run(WRITE, refuse).catch(() => {});
    if (n % 1_000 === 3) guard.status();
    // Texts of ever other lengths, each of which is allocated and freed.
    if (n % 10 === 4) normalText(`SELECT '${"x".repeat(n % 997)}' FROM t${n}`);
    if (n % 10 === 5) describeStatement(`INSERT INTO t${n} VALUES (${n})`);
    if (n % 10 === 6) judge(503, `CODE_${n}`, true);
  };
}

test("H180: a million calls leave the core's memory as large as the first hundred thousand did", async () => {
  const call = callsOf();
  for (let n = 0; n < WARM; n += 1) await call(n);
  const warm = wasmMemory().buffer.byteLength;
  for (let n = WARM; n < CALLS; n += 1) await call(n);
  expect(wasmMemory().buffer.byteLength).toBe(warm);
}, 300_000);

test("H180: thousands of requests leave the monitor's memory as large as the first ones did", async () => {
  const client = openClient(new FakeDatabase(), undefined);
  const monitor = monitorOn({ databases: { primary: client } }, platformOf());
  const paths = ["/api/health", "/api/status", "/api/health/metrics", "/api/health/score", "/nope", "/admin/api/flags"];
  const ask = async (n: number) => {
    const response = await monitor.handle(new Request(`https://app.example.com${paths[n % paths.length]}?n=${n}`));
    await response.text();
  };
  const bytes = () => monitor.status().memory_bytes;
  for (let n = 0; n < REQUESTS; n += 1) await ask(n);
  await monitor.tick();
  const warm = bytes();
  for (let n = 0; n < 3 * REQUESTS; n += 1) await ask(n);
  await monitor.tick();
  expect(bytes()).toBe(warm);
  monitor.close();
}, 300_000);
