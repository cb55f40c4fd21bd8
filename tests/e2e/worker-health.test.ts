// The deployable Worker in workerd: what it says of a real database that is there, gone, hung, and back.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Module } from "../support/workerd.mjs";
import { type Rig, startRig } from "./rig.ts";

const built = (name: string) => fileURLToPath(new URL(`../../build/${name}`, import.meta.url));
const modules: Module[] = [
  { type: "ESModule", path: "index.js", contents: readFileSync(built("index.js"), "utf8") },
  { type: "CompiledWasm", path: "index_bg.wasm", contents: new Uint8Array(readFileSync(built("index_bg.wasm"))) },
];
const SECRET = "token-that-nobody-may-see";
const RECOVERY_MS = 300;

let rig: Rig;

beforeAll(async () => {
  rig = await startRig((url) => {
    const bindings = {
      TURSO_DATABASE_URL: url,
      TURSO_AUTH_TOKEN: SECRET,
      CB_FAILURE_THRESHOLD: "2",
      CB_RECOVERY_TIMEOUT: String(RECOVERY_MS),
    };
    return {
      first: { modules, bindings, kvNamespaces: { SEAWALL_KV: "hints" } },
      bare: { modules },
      elsewhere: { modules, bindings: { ...bindings, MONITOR_BASE_PATH: "/internal/db" } },
      // A binding that is there and answers nothing that a KV namespace answers.
      storeless: { modules, bindings, serviceBindings: { SEAWALL_KV: "bare" } },
      misled: { modules, bindings: { ...bindings, MONITOR_BASE_PATH: "api/", HEALTH_SCORE_MIN: "eighty" } },
      wrong: { modules, bindings: { ...bindings, DB_MAX_CONNECTIONS: "many", CB_FAILURE_THRESHOLD: "-1" } },
    };
  });
});

afterAll(() => rig?.stop());

interface Health {
  status: string;
  timestamp: string;
  uptime: number;
  database: {
    connected: boolean;
    connectionPool: Record<string, number>;
    performance: Record<string, number>;
    reliability: {
      circuitBreaker: { state: string; failures: number; successes: number; requests: number };
      activeOperations: number;
      timeouts: number;
    };
  };
  checks: Record<string, boolean>;
  alerts: unknown[];
}

async function health(worker = "first"): Promise<{ response: Response; body: Health }> {
  const response = await rig.ask(worker, "/api/health");
  return { response, body: (await response.json()) as Health };
}

/** Asks until `is` holds; each question is a real request, and the limit is the test's own. */
async function until(is: (body: Health) => boolean): Promise<Health> {
  for (;;) {
    const { body } = await health();
    if (is(body)) return body;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe("a database that is there", () => {
  test("HLT-01, HLT-06 to HLT-19: the health document has exactly its shape", async () => {
    const { response, body } = await health();
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(body).toStrictEqual({
      status: "healthy",
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      uptime: expect.any(Number),
      database: {
        connected: true,
        connectionPool: { total: 5, active: 0, idle: 5, utilization: 0 },
        performance: {
          averageQueryTime: expect.any(Number),
          slowQueries: 0,
          successfulQueries: 1,
          failedQueries: 0,
          errorRate: 0,
        },
        reliability: {
          circuitBreaker: { state: "CLOSED", failures: 0, successes: 1, requests: 1 },
          activeOperations: 0,
          timeouts: 0,
        },
      },
      checks: { connectivity: true, queryPerformance: true, poolHealth: true, circuitBreakerState: true },
      alerts: [],
    });
    expect(Math.abs(Date.parse(body.timestamp) - Date.now())).toBeLessThan(60_000);
  });

  test("HLT-03, HLT-04: it lives and is ready", async () => {
    for (const [path, key] of [
      ["/api/health/live", "alive"],
      ["/api/health/ready", "ready"],
    ] as const) {
      const response = await rig.ask("first", path);
      expect(response.status).toBe(200);
      expect(await response.json()).toStrictEqual({ [key]: true, timestamp: expect.any(String) });
    }
  });

  test("a crowd of questions makes one probe", async () => {
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const before = rig.proxy.requests;
    const answers = await Promise.all(Array.from({ length: 40 }, () => rig.ask("first", "/api/health")));
    expect(answers.map(({ status }) => status)).toStrictEqual(Array(40).fill(200));
    expect(rig.proxy.requests - before).toBe(1);
  });

  test("`application/health+json` is given to those who ask for it", async () => {
    const response = await rig.ask("first", "/api/health", { headers: { accept: "application/health+json" } });
    expect(response.headers.get("content-type")).toContain("application/health+json");
  });

  test("unknown paths and methods are named", async () => {
    const missing = await rig.ask("first", "/api/helth");
    expect(missing.status).toBe(404);
    expect(await missing.text()).toContain("/api/helth");
    const method = await rig.ask("first", "/api/health", { method: "DELETE" });
    expect(method.status).toBe(405);
    expect(method.headers.get("allow")).toContain("GET");
  });

  test("HEAD has the status and no body", async () => {
    const response = await rig.ask("first", "/api/health", { method: "HEAD" });
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("");
  });
});

describe("a database that breaks and comes back", () => {
  test("the circuit opens, nothing is sent while it is open, and it closes after the repair", async () => {
    await rig.sqld.kill();
    const broken = await until((body) => body.database.reliability.circuitBreaker.state === "OPEN");
    expect(broken.status).toBe("unhealthy");
    expect(broken.database.connected).toBe(false);
    expect(broken.checks.circuitBreakerState).toBe(false);
    const ready = await rig.ask("first", "/api/health/ready");
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ ready: false });
    expect((await rig.ask("first", "/api/health/live")).status).toBe(200);

    await rig.sqld.start();
    const mended = await until((body) => body.database.reliability.circuitBreaker.state === "CLOSED");
    expect(mended.database.connected).toBe(true);
    expect(mended.database.performance.failedQueries).toBeGreaterThan(1);
    // Up, and not yet well: the failures of the last minute still count.
    expect(mended.status).toBe("degraded");
    expect((await health()).response.status).toBe(200);
    expect((await rig.ask("first", "/api/health/ready")).status).toBe(200);
  });

  test("a server that hangs is given up at the probe's deadline", async () => {
    await rig.proxy.set({ kind: "hang" });
    const hung = await until((body) => !body.database.connected);
    expect(hung.database.reliability.timeouts).toBeGreaterThan(0);
    await rig.proxy.set({ kind: "pass" });
    await until((body) => body.database.connected);
  });
});

describe("settings", () => {
  test("without an address every route but liveness says which variable is missing", async () => {
    for (const path of ["/api/health", "/api/health/ready"]) {
      const response = await rig.ask("bare", path);
      expect(response.status).toBe(503);
      expect(await response.text()).toContain("TURSO_DATABASE_URL");
    }
    expect((await rig.ask("bare", "/api/health/live")).status).toBe(200);
  });

  test("all wrong variables are named at once, with what was found in them", async () => {
    const text = await (await rig.ask("wrong", "/api/health")).text();
    expect(text).toContain("DB_MAX_CONNECTIONS");
    expect(text).toContain("CB_FAILURE_THRESHOLD");
    expect(text).toContain("many");
    expect(text).not.toContain(SECRET);
  });

  test("the routes lie where a variable says", async () => {
    expect((await rig.ask("elsewhere", "/internal/db/health")).status).toBe(200);
    expect((await rig.ask("elsewhere", "/internal/db/platform/health/live")).status).toBe(200);
    expect((await rig.ask("elsewhere", "/api/health")).status).toBe(404);
  });

  test("HLT-03: what is wrong with the monitor's own variables is said without their text, and it lives", async () => {
    const response = await rig.ask("misled", "/api/health/ready");
    expect(response.status).toBe(503);
    const text = await response.text();
    expect(text).toContain("HEALTH_SCORE_MIN");
    expect(text).not.toContain("eighty");
    expect((await rig.ask("misled", "/api/health/live")).status).toBe(200);
  });

  test("H146: with a store that fails the document is as it is, and nothing is thrown", async () => {
    for (const path of ["/api/health", "/api/health/ready", "/api/status", "/api/health"]) {
      const response = await rig.ask("storeless", path);
      expect(response.status, path).toBe(200);
    }
    expect(await (await rig.ask("storeless", "/api/health")).json()).toMatchObject({
      status: "healthy",
      database: { connected: true, reliability: { circuitBreaker: { state: "CLOSED" } } },
      alerts: [],
    });
    expect(rig.log()).not.toMatch(/panicked|Uncaught/);
  });

  test("the token is in no answer and no log", async () => {
    for (const path of ["/api/health", "/api/health/ready", "/nowhere"]) {
      expect(await (await rig.ask("first", path)).text()).not.toContain(SECRET);
    }
    expect(rig.log()).not.toContain(SECRET);
  });
});
