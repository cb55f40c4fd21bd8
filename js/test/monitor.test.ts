// The monitor of an isolate: what it watches, how often it asks, and what it tells.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createClient } from "../src/client.ts";
import { createGuard } from "../src/guard.ts";
import { createMonitor, getDatabaseMonitor, type Monitor, monitorOn } from "../src/monitor/monitor.ts";
import { controlsOfProtected, protect } from "../src/protect/protect.ts";
import { strongMemoryStore } from "../src/store/memory.ts";
import { Tenants } from "../src/tenants/tenants.ts";
import { FakeDatabase, hold, letGo, openClient } from "./fake-database.ts";
import { handSetClock, platformOf, START } from "./guards.ts";

handSetClock();

const LIMITS = { circuitBreaker: { failureThreshold: 2 } };
let database: FakeDatabase;
const monitors: Monitor[] = [];

beforeEach(() => {
  database = new FakeDatabase();
});

afterEach(() => {
  for (const monitor of monitors.splice(0)) monitor.close();
  getDatabaseMonitor()?.close();
});

function watch(options: Partial<Parameters<typeof createMonitor>[0]> = {}, overrides = {}): Monitor {
  const databases = { primary: openClient(database, undefined, LIMITS) };
  const monitor = monitorOn({ databases, ...options }, platformOf(overrides));
  monitors.push(monitor);
  return monitor;
}

const get = (monitor: Monitor, path: string, init?: RequestInit) =>
  monitor.handle(new Request(`https://app.example.com${path}`, init));

const documentOf = async (monitor: Monitor, path: string, init?: RequestInit) =>
  (await get(monitor, path, init)).json() as Promise<Record<string, never>>;

describe("what is asked of the database", () => {
  test("HLT-03: liveness asks nobody, whatever state the database and the settings are in", async () => {
    const monitor = watch();
    database.mode = { kind: "down" };
    const response = await get(monitor, "/api/health/live");
    expect(response.status).toBe(200);
    expect(await response.json()).toStrictEqual({ alive: true, timestamp: "2026-11-18T11:06:40.000Z" });
    expect(database.asked).toStrictEqual([]);
  });

  test("a thousand requests at once make one probe, and the next second one more", async () => {
    const monitor = watch();
    const all = Array.from({ length: 1_000 }, () => get(monitor, "/api/health"));
    await vi.advanceTimersByTimeAsync(10);
    expect((await Promise.all(all)).every(({ status }) => status === 200)).toBe(true);
    expect(database.asked).toStrictEqual(["SELECT 1"]);
    await vi.advanceTimersByTimeAsync(980);
    await get(monitor, "/api/health/ready");
    expect(database.asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(20);
    await Promise.all(Array.from({ length: 1_000 }, () => get(monitor, "/api/health/ready")));
    expect(database.asked).toHaveLength(2);
  }, 30_000);

  test("H144: a database that hangs holds up the first answer for its deadline and the next ones not at all", async () => {
    const monitor = watch();
    database.mode = { kind: "held", until: new Promise(() => {}) };
    const first = get(monitor, "/api/health/ready");
    expect((await get(monitor, "/api/health/live")).status).toBe(200);
    await vi.advanceTimersByTimeAsync(10_000);
    expect((await first).status).toBe(503);
    const began = Date.now();
    const second = get(monitor, "/api/health");
    const third = await get(monitor, "/api/health");
    expect(third.status).toBe(503);
    expect(Date.now()).toBe(began);
    await vi.advanceTimersByTimeAsync(10_000);
    expect((await second).status).toBe(503);
  });

  test("a request that was lost with its probe holds nobody up for longer than the probe may take", async () => {
    const monitor = watch({ databases: { primary: { seawall: lostOnce() } } });
    const lost = get(monitor, "/api/health/ready");
    const waiting = get(monitor, "/api/health/ready");
    await vi.advanceTimersByTimeAsync(20_000);
    expect([(await lost).status, (await waiting).status]).toStrictEqual([503, 503]);
    expect((await get(monitor, "/api/health/ready")).status).toBe(200);
  });

  /** Controls whose first check never ends, as if its request had been cut off. */
  function lostOnce() {
    const { seawall } = openClient(database, undefined);
    let checks = 0;
    const healthCheck = () => {
      checks += 1;
      return checks === 1 ? new Promise<boolean>(() => {}) : seawall.healthCheck();
    };
    return { status: () => seawall.status(), healthCheck };
  }

  test("only the first database is asked for readiness; all are for the draft's shape and the overview", async () => {
    const other = new FakeDatabase();
    other.mode = { kind: "down" };
    const databases = { primary: openClient(database, undefined), other: openClient(other, undefined) };
    const monitor = watch({ databases });
    expect((await get(monitor, "/api/health")).status).toBe(200);
    expect(other.asked).toStrictEqual([]);
    const draft = await get(monitor, "/api/health", { headers: { accept: "application/health+json" } });
    expect(draft.status).toBe(200);
    const { status, checks } = (await draft.json()) as { status: string; checks: Record<string, unknown[]> };
    expect(status).toBe("warn");
    expect(checks["libsql:responseTime"]).toMatchObject([
      { componentId: "primary", status: "pass" },
      { componentId: "other", status: "fail" },
    ]);
    expect(other.asked).not.toStrictEqual([]);
    const overview = await documentOf(monitor, "/api/status");
    expect(overview).toMatchObject({ databases: { primary: { state: "healthy" }, other: { state: "unhealthy" } } });
  });
});

describe("what is told", () => {
  test("HLT-04 and H146: an open circuit is not ready, and the document keeps its shape", async () => {
    const monitor = watch();
    const well = await documentOf(monitor, "/api/health");
    const client = openClient(database, undefined, LIMITS);
    const broken = watch({ databases: { primary: client } });
    client.seawall.circuitBreaker.forceState("OPEN");
    const response = await get(broken, "/api/health");
    expect(response.status).toBe(503);
    const body = (await response.json()) as typeof well;
    expect(shapeOf(body)).toStrictEqual(shapeOf(well));
    expect(body).toMatchObject({ status: "unhealthy", checks: { circuitBreakerState: false } });
    expect((await get(broken, "/api/health/ready")).status).toBe(503);
    expect(await documentOf(broken, "/api/health/ready")).toMatchObject({ ready: false });
    expect(database.asked).toHaveLength(1);
  });

  /** Names and types, lists aside. */
  function shapeOf(value: unknown): unknown {
    if (Array.isArray(value) || typeof value !== "object" || value === null)
      return Array.isArray(value) || typeof value;
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, shapeOf(member)]));
  }

  test("H146: a clock that stands still, steps back or is none makes no exception", async () => {
    for (const now of [() => 1_800_000_000_000, () => Number.NaN, () => -1, falling(), () => 1e300]) {
      const monitor = watch({}, { now });
      for (const path of ["/api/health", "/api/health/live", "/api/health/ready", "/api/status", "/api/health/score"]) {
        const response = await get(monitor, path);
        expect(response.status, path).toBe(200);
        expect(typeof (await response.json())).toBe("object");
      }
      await monitor.tick();
    }
  });

  function falling(): () => number {
    let now = 1_800_000_000_000;
    return () => {
      now -= 60_000;
      return now;
    };
  }

  test("HLT-17: active operations are those that have begun and not ended, beside the probe", async () => {
    const client = openClient(database, undefined);
    const monitor = watch({ databases: { primary: client } });
    await get(monitor, "/api/health");
    let release = () => {};
    database.mode = { kind: "held", until: new Promise((resolve) => (release = resolve)) };
    const running = [client.execute("SELECT 2"), client.execute("SELECT 3")];
    const { database: told } = await documentOf(monitor, "/api/health");
    expect(told).toMatchObject({ reliability: { activeOperations: 2 }, connectionPool: { active: 2 } });
    release();
    await Promise.all(running);
    await vi.advanceTimersByTimeAsync(1_000);
    const { database: after } = await documentOf(monitor, "/api/health");
    expect(after).toMatchObject({ reliability: { activeOperations: 0 } });
  });

  test("HLT-31: the overview and the draft's shape tell the memory of the wasm in bytes", async () => {
    const monitor = watch();
    const { memory_bytes: bytes } = (await documentOf(monitor, "/api/status")) as unknown as { memory_bytes: number };
    expect(bytes).toBeGreaterThan(2 * 65_536);
    expect(bytes % 65_536).toBe(0);
    const draft = await documentOf(monitor, "/api/health", { headers: { accept: "application/health+json" } });
    const later = (await documentOf(monitor, "/api/status")) as unknown as { memory_bytes: number };
    const [memory] = (
      draft as unknown as { checks: { "memory:wasm": { observedValue: number; observedUnit: string }[] } }
    ).checks["memory:wasm"];
    // It never shrinks, and a request may have made it grow.
    expect(memory?.observedValue).toBeGreaterThanOrEqual(bytes);
    expect(memory?.observedValue).toBeLessThanOrEqual(later.memory_bytes);
    expect(memory?.observedUnit).toBe("B");
  });

  test("HLT-28: `status()` tells what is switched on, each database with its pool, and the caches as one", async () => {
    const client = openClient(database, { enabled: true, maxSize: 100 });
    const monitor = watch({ databases: { primary: client } });
    await client.execute("SELECT 7");
    await client.execute("SELECT 7");
    expect(monitor.status()).toMatchObject({
      scope: "isolate",
      config: {
        load_balancing: false,
        load_balance_strategy: "off",
        failover: false,
        query_cache: true,
        metrics: expect.any(Boolean),
        tracing: expect.any(Boolean),
      },
      databases: {
        primary: {
          config: { type: "libsql", max_connections: expect.any(Number) },
          pool_stats: { total_connections: 2, active_connections: 0, pool_utilization: 0, success_rate: 1 },
        },
      },
      cache_stats: { size: 1, utilization: 0.01, hit_rate: 0.5 },
    });
    expect(database.asked).toStrictEqual(["SELECT 7"]);
  });

  test("a client with several databases shows each of them", async () => {
    const client = openClient(database, undefined, { replicas: [{ url: "https://replica.example.com" }] });
    const overview = await documentOf(watch({ databases: { primary: client } }), "/api/status");
    expect(overview).toMatchObject({
      config: { load_balancing: true, failover: true },
      databases: { primary: { endpoints: [{ role: "primary" }, { role: "replica", state: "healthy" }] } },
    });
  });

  test("tenants are counted, and none is named", async () => {
    const projects = new Tenants({
      open: () => ({ url: "https://tenant.example.com", fetch: database.fetch }),
    });
    projects.get("a-secret-customer");
    const text = await (await get(watch({ tenants: { projects } }), "/api/status")).text();
    expect(JSON.parse(text)).toMatchObject({ tenants: { projects: { live: 1, residues: 0, evicted: 0 } } });
    expect(text).not.toContain("a-secret-customer");
    projects.close();
  });
});

describe("what is watched", () => {
  test("HLT-20: `healthCheck()` of a client says whether its database answers, and sends nothing while the circuit is open", async () => {
    const { seawall } = openClient(database, undefined, LIMITS);
    expect(await seawall.healthCheck()).toBe(true);
    expect(database.asked).toStrictEqual(["SELECT 1"]);
    database.mode = { kind: "down" };
    const checks = [seawall.healthCheck(), seawall.healthCheck(), seawall.healthCheck()];
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await Promise.all(checks)).toStrictEqual([false, false, false]);
    database.mode = { kind: "up" };
    seawall.circuitBreaker.forceState("OPEN");
    const sent = database.asked.length;
    expect(await seawall.healthCheck()).toBe(false);
    expect(database.asked).toHaveLength(sent);
  });

  test("HLT-20: a check has the deadline of health checks, not that of queries", async () => {
    const { seawall } = openClient(database, undefined, { timeouts: { healthCheck: 50, query: 60_000 } });
    database.mode = { kind: "held", until: new Promise(() => {}) };
    const check = seawall.healthCheck();
    await vi.advanceTimersByTimeAsync(49);
    let ended: boolean | undefined;
    check.then((is) => {
      ended = is;
    });
    await vi.advanceTimersByTimeAsync(0);
    expect(ended).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(ended).toBe(false);
  });

  test("HLT-21: `getMetrics()` of a client tells its pool with the mean time of a query", async () => {
    const pass = hold();
    const client = openClient(database, undefined);
    expect(client.seawall.getMetrics().connectionPool.avgQueryTime).toBe(0);
    let release = () => {};
    database.mode = { kind: "held", until: new Promise((resolve) => (release = resolve)) };
    const running = client.execute("SELECT 2");
    await vi.advanceTimersByTimeAsync(1);
    pass(120);
    release();
    await running;
    expect(client.seawall.getMetrics().connectionPool).toMatchObject({ avgQueryTime: 120, borrowed: 0, max: 2 });
    letGo();
  });

  test("HLT-20: a replica is asked by its own name", async () => {
    const replica = new FakeDatabase();
    const client = createClient({
      url: "https://db.example.com",
      fetch: (request: Request) =>
        new URL(request.url).host === "db.example.com" ? database.fetch(request) : replica.fetch(request),
      seawall: { replicas: [{ url: "https://replica.example.com", name: "near" }] },
    });
    expect(await client.seawall.database("near").healthCheck()).toBe(true);
    expect([database.asked, replica.asked]).toStrictEqual([[], ["SELECT 1"]]);
    expect(await client.seawall.healthCheck()).toBe(true);
    expect(database.asked).toStrictEqual(["SELECT 1"]);
  });

  test.each([
    ["redis", (ask: () => Promise<unknown>) => ({ ping: ask })],
    ["postgresql", (ask: (sql: string) => Promise<unknown>) => ({ query: ask })],
    ["mongodb", (ask: () => Promise<unknown>) => ({ db: (_: string) => ({ command: ask }) })],
    ["prisma", (ask: (sql: string) => Promise<unknown>) => ({ $queryRawUnsafe: ask })],
    ["d1", (ask: () => Promise<unknown>) => ({ prepare: (_: string) => ({ first: ask }) })],
    ["sqlite", (ask: () => unknown) => ({ prepare: (_: string) => ({ get: ask }) })],
    ["libsql", (ask: (sql: string) => Promise<unknown>) => ({ execute: ask })],
    ["other", (ask: () => Promise<unknown>) => ({ ping: ask })],
  ])("HLT-20: a protected %s client is asked in its own way", async (type, make) => {
    let is = "up";
    const asked = vi.fn(async (..._: unknown[]) => {
      if (is !== "up") throw Object.assign(new Error("gone"), { code: "ECONNRESET" });
    });
    const client = protect(make(asked), { type, environment: "test" });
    const monitor = watch({ databases: { primary: client } });
    expect((await get(monitor, "/api/health/ready")).status).toBe(200);
    expect(asked).toHaveBeenCalledTimes(1);
    is = "down";
    await vi.advanceTimersByTimeAsync(1_000);
    const ready = get(monitor, "/api/health/ready");
    await vi.advanceTimersByTimeAsync(20_000);
    expect((await ready).status).toBe(503);
    expect(monitor.status().databases.primary?.config.type).toBe(type);
  });

  test("HLT-20: what nobody knows how to ask is asked by the function that its owner gives", async () => {
    const own = { get: async () => 1 };
    const unknown = controlsOfProtected(protect(own, { environment: "test" }));
    await expect(unknown?.healthCheck()).rejects.toThrow("`ping`");
    const ping = vi.fn(async () => "PONG");
    expect(await controlsOfProtected(protect(own, { ping, environment: "test" }))?.healthCheck()).toBe(true);
    expect(ping).toHaveBeenCalledTimes(1);
  });

  test("a guard is watched with a function that asks", async () => {
    const guard = createGuard({ environment: "test" }, "somewhere");
    let isThere = true;
    const check = async () => {
      if (!isThere) throw new Error("gone");
    };
    const monitor = watch({ databases: { primary: { guard, check, type: "http" } } });
    expect((await get(monitor, "/api/health/ready")).status).toBe(200);
    isThere = false;
    await vi.advanceTimersByTimeAsync(1_000);
    const ready = get(monitor, "/api/health/ready");
    await vi.advanceTimersByTimeAsync(20_000);
    expect((await ready).status).toBe(503);
    expect(monitor.status().databases.primary?.config.type).toBe("http");
  });

  test("what cannot be watched, or set, is named", () => {
    expect(() => watch({ databases: { stray: {} } })).toThrow('cannot watch "stray"');
    expect(() => watch({ databases: { none: null as never } })).toThrow('cannot watch "none"');
    expect(() => watch({ databases: {} })).toThrow("`databases`");
    expect(() => watch({ basePath: "api/" })).toThrow("basePath");
    expect(() => watch({ checkIntervalMs: 5 })).toThrow("checkIntervalMs");
    expect(() => watch({ healthScore: { deploy: 101 } })).toThrow("healthScore.deploy");
    expect(() => watch({ baseUrl: "/x" } as never)).toThrow("baseUrl");
  });
});

describe("what goes on by itself", () => {
  beforeEach(() => {
    vi.useFakeTimers({
      now: START,
      toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"],
    });
  });

  test("HLT-23: `startMonitoring(15000)` has all databases checked every 15 seconds until it is ended", async () => {
    const monitor = watch();
    const stop = monitor.startMonitoring(15_000);
    await vi.advanceTimersByTimeAsync(1);
    expect(database.asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(150_000);
    expect(database.asked.length).toBeGreaterThanOrEqual(10);
    expect(database.asked.length).toBeLessThanOrEqual(12);
    stop();
    const before = database.asked.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(database.asked).toHaveLength(before);
    expect(() => monitor.startMonitoring(10)).toThrow("startMonitoring takes 1000");
  });

  test("HLT-23: on Workers it sets no timer and checks after the next request that comes when it is due", async () => {
    const kept: Promise<unknown>[] = [];
    const waitUntil = (work: Promise<unknown>) => kept.push(work);
    const monitor = watch({}, { name: "workerd", isPolling: true, waitUntil });
    monitor.startMonitoring(15_000);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(database.asked).toStrictEqual([]);
    await get(monitor, "/api/health/live");
    await Promise.all(kept);
    expect(database.asked).toHaveLength(1);
    await get(monitor, "/api/health/live");
    await Promise.all(kept);
    expect(database.asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(15_000);
    await monitor.tick();
    expect(database.asked).toHaveLength(2);
  });

  test("HLT-23: `checkIntervalMs` has it done from the start", async () => {
    watch({ checkIntervalMs: 5_000 });
    await vi.advanceTimersByTimeAsync(11_000);
    expect(database.asked).toHaveLength(3);
  });

  test("HLT-22: `getDatabaseMonitor()` is the monitor of the isolate or null, with its health and metrics", async () => {
    expect(getDatabaseMonitor()).toBeNull();
    const made = createMonitor({ databases: { primary: openClient(database, undefined) } });
    const monitor = getDatabaseMonitor();
    expect(monitor).toBe(made);
    expect(await monitor?.healthCheck()).toBe(true);
    expect(await monitor?.getHealthStatus()).toMatchObject({ status: "healthy", database: { connected: true } });
    expect(monitor?.getMetrics()?.poolUtilization).toBe(0);
    expect(monitor?.getMetrics()).toMatchObject({ healthScore: 100, circuitBreakerState: "CLOSED", errorRate: 0 });
    expect(database.asked).toHaveLength(1);
    monitor?.close();
    expect(getDatabaseMonitor()).toBeNull();
  });
});

describe("what must not harm", () => {
  test("a body of more than 64 KiB is not read to its end", async () => {
    let sent = 0;
    const endless = new ReadableStream({
      pull(controller) {
        sent += 1;
        controller.enqueue(new Uint8Array(16_384));
      },
    });
    const init = { method: "POST", body: endless, duplex: "half" } as RequestInit;
    const response = await get(watch(), "/api/health", init);
    expect(response.status).toBe(405);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(sent).toBeLessThan(10);
  });

  test("controls that throw make a problem and not a rejection, and say nothing of what they threw", async () => {
    const status = () => {
      throw new Error("hunter2");
    };
    const monitor = watch({ databases: { primary: { seawall: { status, healthCheck: async () => true } } } });
    const response = await get(monitor, "/api/health");
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("hunter2");
    expect((await get(monitor, "/api/health/live")).status).toBe(200);
    await monitor.tick();
  });
});

describe("how often the others are told what was counted", () => {
  const MINUTE_S = 60;

  /** How often a monitor writes into its store in a minute in which somebody looks after it every second. */
  async function toldInAMinute(
    client: Parameters<typeof openClient>[2],
    options: Partial<Parameters<typeof createMonitor>[0]> = {},
  ): Promise<number> {
    const store = strongMemoryStore();
    const swap = vi.spyOn(store, "swap");
    const databases = { primary: openClient(database, undefined, { ...LIMITS, ...client }) };
    const monitor = monitorOn({ databases, store, ...options }, platformOf());
    monitors.push(monitor);
    for (let second = 0; second < MINUTE_S; second += 1) {
      vi.setSystemTime(START + second * 1_000);
      await monitor.tick();
    }
    return swap.mock.calls.filter(([changes]) => changes.some(({ key }) => key.startsWith("metrics/"))).length;
  }

  test("MET-35 and CFG-06: it is every minute, or what metrics.statsInterval or stats_interval of a client says", async () => {
    expect(await toldInAMinute({})).toBe(1);
    expect(await toldInAMinute({ metrics: { statsInterval: "30s" } })).toBe(2);
    expect(await toldInAMinute({ stats_interval: 5 })).toBe(12);
  });

  test("MET-35: what the monitor is told goes before what a client says", async () => {
    expect(await toldInAMinute({ stats_interval: 5 }, { metrics: { statsInterval: 20_000 } })).toBe(3);
    expect(await toldInAMinute({ stats_interval: 5 }, { metrics: { statsIntervalMs: 20_000 } })).toBe(3);
  });
});
