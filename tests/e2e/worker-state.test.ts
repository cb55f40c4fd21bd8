// The deployable Worker and its KV namespace: what one isolate learns, another knows, also one of the npm package.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleWorker, type Module } from "../support/workerd.mjs";
import { type Rig, startRig, until } from "./rig.ts";

const built = (name: string) => fileURLToPath(new URL(`../../build/${name}`, import.meta.url));
const modules: Module[] = [
  { type: "ESModule", path: "index.js", contents: readFileSync(built("index.js"), "utf8") },
  { type: "CompiledWasm", path: "index_bg.wasm", contents: new Uint8Array(readFileSync(built("index_bg.wasm"))) },
];
/** Longer than the test. */
const RECOVERY_MS = 120_000;

let rig: Rig;

beforeAll(async () => {
  const hints = await bundleWorker(join(import.meta.dirname, "workers/hints.ts"));
  rig = await startRig((url) => {
    const bindings = {
      TURSO_DATABASE_URL: url,
      // A number, as a configuration file may have it.
      CB_FAILURE_THRESHOLD: 2,
      CB_RECOVERY_TIMEOUT: String(RECOVERY_MS),
      DB_HEALTH_CHECK_INTERVAL: "1000",
    };
    const OPTIONS = { circuitBreaker: { failureThreshold: 2, recoveryTimeout: RECOVERY_MS }, state: {} };
    const shared = { SEAWALL_KV: "hints" };
    return {
      first: { modules, bindings, kvNamespaces: shared },
      second: { modules, bindings, kvNamespaces: shared },
      alone: { modules, bindings },
      package: {
        modules: hints,
        bindings: { DATABASE_URL: url, OPTIONS, STORE: { kind: "kv" } },
        kvNamespaces: { HINTS: "hints" },
      },
      garbage: { modules, bindings, kvNamespaces: { SEAWALL_KV: "garbage" } },
      frankfurt: { modules, bindings, kvNamespaces: { SEAWALL_KV: "placed" } },
      frankfurtToo: { modules, bindings, kvNamespaces: { SEAWALL_KV: "placed" } },
      frankfurtWithoutHints: { modules, bindings, kvNamespaces: { SEAWALL_KV: "nothing here" } },
      sydney: { modules, bindings, kvNamespaces: { SEAWALL_KV: "placed" } },
      workersDev: { modules, bindings, kvNamespaces: { SEAWALL_KV: "nothing here either" } },
      nowhere: { modules, bindings, kvNamespaces: { SEAWALL_KV: "odd" } },
      packageNear: {
        modules: hints,
        bindings: { DATABASE_URL: url, OPTIONS, STORE: { kind: "kv" }, NEAR: true },
        kvNamespaces: { HINTS: "nothing for the package" },
      },
    };
  });
});

afterAll(() => rig?.stop());

interface Health {
  status: string;
  database: { connected: boolean; reliability: { circuitBreaker: { state: string; requests: number } } };
}

async function health(worker: string): Promise<Health> {
  return (await (await rig.ask(worker, "/api/health")).json()) as Health;
}

async function keys(worker: string): Promise<string[]> {
  const kv = await rig.miniflare.getKVNamespace("SEAWALL_KV", worker);
  return (await kv.list()).keys.map(({ name }) => name);
}

describe("Workers that share a KV namespace", () => {
  test("a healthy database costs no write", async () => {
    expect((await health("first")).status).toBe("healthy");
    expect(await keys("first")).toEqual([]);
  });

  test("a scheduled event asks the database", async () => {
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const before = rig.proxy.requests;
    const worker = await rig.miniflare.getWorker("first");
    expect((await worker.scheduled({ cron: "* * * * *" })).outcome).toBe("ok");
    expect(rig.proxy.requests).toBe(before + 1);
  });

  test("an outage that one has learnt is known to a new one before it has asked the database", async () => {
    await rig.proxy.set({ kind: "status" });
    const isOpen = async () => (await health("first")).database.reliability.circuitBreaker.state === "OPEN";
    await until("the first refuses", isOpen);
    await until("the hint is in KV", async () => (await keys("first")).length === 1);
    expect(await keys("first")).toEqual([`seawall/v1/127.0.0.1:${new URL(rig.proxy.url).port}`]);

    const before = rig.proxy.requests;
    const second = await health("second");
    expect(second.status).toBe("unhealthy");
    expect(second.database.reliability.circuitBreaker).toMatchObject({ state: "OPEN", requests: 0 });
    expect((await rig.ask("second", "/api/health/ready")).status).toBe(503);
    expect(rig.proxy.requests).toBe(before);
  });

  test("a client of the npm package knows it as well", async () => {
    const before = rig.proxy.requests;
    expect(await (await rig.ask("package")).json()).toMatchObject({ code: "CIRCUIT_OPEN" });
    expect(rig.proxy.requests).toBe(before);
  });

  test("without a namespace, or with garbage in it, a Worker learns for itself", async () => {
    const kv = await rig.miniflare.getKVNamespace("SEAWALL_KV", "garbage");
    await kv.put(`seawall/v1/127.0.0.1:${new URL(rig.proxy.url).port}`, "\u0000 not a snapshot");
    const before = rig.proxy.requests;
    for (const worker of ["alone", "garbage"]) {
      expect((await health(worker)).database.connected).toBe(false);
    }
    expect(rig.proxy.requests).toBeGreaterThan(before + 1);
    await rig.proxy.set({ kind: "pass" });
  });
});

describe("Workers that are told where they are", () => {
  async function healthAt(name: string, colo: string, host = "health.example"): Promise<Health> {
    const worker = await rig.miniflare.getWorker(name);
    return (await (await worker.fetch(`http://${host}/api/health`, { cf: { colo } as never })).json()) as Health;
  }
  const breaker = async (name: string, colo: string, host?: string) =>
    (await healthAt(name, colo, host)).database.reliability.circuitBreaker;

  test("one of another place asks the database itself; one of the same does not", async () => {
    await rig.proxy.set({ kind: "status" });
    await until("Frankfurt refuses", async () => (await breaker("frankfurt", "FRA")).state === "OPEN");
    await until("the hint is in KV", async () => (await keys("frankfurt")).length === 1);
    expect(await keys("frankfurt")).toEqual([`seawall/v1/127.0.0.1:${new URL(rig.proxy.url).port}/FRA`]);
    expect((await breaker("sydney", "SYD")).requests).toBeGreaterThan(0);
    expect(await breaker("frankfurtToo", "FRA")).toMatchObject({ state: "OPEN", requests: 0 });
  });

  test("the cache of a place tells what its KV does not, also to the npm package, but not on workers.dev", async () => {
    expect(await breaker("frankfurtWithoutHints", "FRA")).toMatchObject({ state: "OPEN", requests: 0 });
    const client = await rig.miniflare.getWorker("packageNear");
    const before = rig.proxy.requests;
    const answer = await client.fetch("http://health.example/", { cf: { colo: "FRA" } as never });
    expect(await answer.json()).toMatchObject({ code: "CIRCUIT_OPEN" });
    expect(rig.proxy.requests).toBe(before);
    expect((await breaker("workersDev", "FRA", "health.example.workers.dev")).requests).toBeGreaterThan(0);
  });

  test("a name that could be another key is not taken", async () => {
    await until("it refuses", async () => (await breaker("nowhere", "../FRA", "x.workers.dev")).state === "OPEN");
    await until("the hint is in KV", async () => (await keys("nowhere")).length > 0);
    expect(await keys("nowhere")).toEqual([`seawall/v1/127.0.0.1:${new URL(rig.proxy.url).port}`]);
    await rig.proxy.set({ kind: "pass" });
  });
});
