// What two Workers count is told to one Durable Object, and both show the sum.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Module } from "../support/workerd.mjs";
import { type Rig, startRig, type TestWorker, until } from "./rig.ts";

const built = (name: string) => fileURLToPath(new URL(`../../build/${name}`, import.meta.url));
const modules: Module[] = [
  { type: "ESModule", path: "index.js", contents: readFileSync(built("index.js"), "utf8") },
  { type: "CompiledWasm", path: "index_bg.wasm", contents: new Uint8Array(readFileSync(built("index_bg.wasm"))) },
];
const WORKERS = ["first", "second"];
const LIMIT_MS = 30_000;

let rig: Rig;

beforeAll(async () => {
  rig = await startRig((url) => {
    const bindings = { TURSO_DATABASE_URL: url, METRICS_STATS_INTERVAL_MS: "1000" };
    const own = { className: "SeawallStore", useSQLite: true };
    const others = { ...own, scriptName: "first" };
    return {
      first: { modules, bindings, durableObjects: { SEAWALL_STORE: own } },
      second: { modules, bindings, durableObjects: { SEAWALL_STORE: others } } as TestWorker,
    };
  });
});
afterAll(() => rig?.stop());

/** Queries that a Worker's own isolate has counted as answered. */
async function own(worker: string): Promise<number> {
  const response = await rig.ask(worker, "/api/health");
  expect(response.headers.get("seawall-scope")).toBe("isolate");
  const { database } = (await response.json()) as { database: { performance: { successfulQueries: number } } };
  return database.performance.successfulQueries;
}

/** The same of the fleet, as a Worker shows it; undefined while it shows only itself. */
async function ofFleet(worker: string): Promise<number | undefined> {
  const text = await (await rig.ask(worker, "/api/health/metrics?names=canonical")).text();
  if (!/^seawall_metrics_scope\{scope="fleet"\} 1$/m.test(text)) return undefined;
  return Number(/^seawall_operations_total\{[^}]*outcome="success"[^}]*\} (\d+)/m.exec(text)?.[1]);
}

test(
  "MET-35: what each isolate has counted is in the fleet's numbers, once, wherever they are asked for",
  async () => {
    for (let round = 0; round < 3; round += 1) {
      for (const worker of WORKERS) await own(worker);
      await new Promise((resolve) => setTimeout(resolve, 1_100));
    }
    // Each answer is followed by what is due; liveness asks no database.
    for (const worker of WORKERS) {
      await until(
        `${worker} shows the sum`,
        async () => {
          const counts = [];
          for (const each of WORKERS) counts.push(await own(each));
          await new Promise((resolve) => setTimeout(resolve, 1_100));
          for (const each of WORKERS) await rig.ask(each, "/api/health/live");
          await new Promise((resolve) => setTimeout(resolve, 1_100));
          const [first = 0, second = 0] = counts;
          expect(first).toBeGreaterThan(2);
          expect(second).toBeGreaterThan(2);
          return (await ofFleet(worker)) === first + second;
        },
        LIMIT_MS,
      );
    }
  },
  3 * LIMIT_MS,
);
