// What an operator orders at one place holds everywhere: three Workers with one Durable Object and one KV, and two monitors
// of the package on one Redis.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { createClient } from "seawall";
import { createMonitor, type Monitor, type Overview } from "seawall/monitor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { strongRedisStore } from "../../js/src/store/redis.ts";
import { type Redis as Server, startRedis } from "../support/redis.mjs";
import type { Module } from "../support/workerd.mjs";
import { type Rig, startRig, type TestWorker, until } from "./rig.ts";

const built = (name: string) => fileURLToPath(new URL(`../../build/${name}`, import.meta.url));
const modules: Module[] = [
  { type: "ESModule", path: "index.js", contents: readFileSync(built("index.js"), "utf8") },
  { type: "CompiledWasm", path: "index_bg.wasm", contents: new Uint8Array(readFileSync(built("index_bg.wasm"))) },
];
const TOKEN = "t0ken-of-the-operator-that-nobody-may-see";
const FOLLOW_MS = 100;
const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
const REASON = { reason: "a test" };

interface Order {
  version: number;
}

/** One place where orders are given and obeyed. */
interface Place {
  name: string;
  ask(path: string, init?: RequestInit): Promise<Response>;
}

async function told(at: Place, path: string, body: object): Promise<Order> {
  const response = await at.ask(`/admin/api${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  expect([response.status, at.name]).toStrictEqual([200, at.name]);
  return (await response.json()) as Order;
}

async function status(at: Place): Promise<Overview> {
  return (await (await at.ask("/api/status")).json()) as Overview;
}

const circuitOf = async (at: Place) => (await status(at)).databases.primary?.circuit_breaker.state;

/** Each look is what a request would bring along. */
function everywhere(what: string, places: readonly Place[], isTrue: (at: Place) => Promise<boolean>): Promise<unknown> {
  return Promise.all(places.map((at) => until(`${at.name}: ${what}`, () => isTrue(at), 20_000)));
}

/** The same of Workers and monitors. */
function fleetTests(places: () => readonly [Place, ...Place[]], fresh: () => Promise<Place>): void {
  test("a circuit that is held at one place is held at all, and let go at all", async () => {
    const [first, ...others] = places();
    await told(first, "/circuits/primary/hold", { ...REASON, state: "open" });
    await everywhere("it is held", places(), async (at) => (await circuitOf(at)) === "OPEN");
    // Who begins now holds it as well.
    await everywhere("it is held", [await fresh()], async (at) => (await circuitOf(at)) === "OPEN");
    await told(others[0] ?? first, "/circuits/primary/release", REASON);
    await told(first, "/circuits/primary/reset", REASON);
    await everywhere("it is let go", places(), async (at) => (await circuitOf(at)) === "CLOSED");
    await told(first, "/circuits/*/hold", { ...REASON, state: "open" });
    await everywhere("all are held", places(), async (at) => (await circuitOf(at)) === "OPEN");
    await told(first, "/circuits/*/reset", REASON);
    await everywhere("all are let go", places(), async (at) => (await circuitOf(at)) === "CLOSED");
  });

  test("a circuit of another database is nobody's business here", async () => {
    const [first] = places();
    await told(first, "/circuits/another/hold", { ...REASON, state: "open" });
    const { version } = await told(first, "/pools/primary/drain", { ...REASON, all: true });
    await everywhere("it is seen", places(), async (at) => (await status(at)).orders.control?.version === version);
    for (const at of places()) expect([at.name, await circuitOf(at)]).toStrictEqual([at.name, "CLOSED"]);
    await told(first, "/circuits/another/release", REASON);
  });

  test("CFG-02: settings change at run time, everywhere, and are taken back", async () => {
    const [first] = places();
    const connections = async (at: Place) => (await status(at)).databases.primary?.config.max_connections;
    const before = await connections(first);
    const put = (value: unknown) =>
      first.ask("/admin/api/orders/config", {
        method: "PUT",
        headers: { ...headers, "if-match": "*" },
        body: JSON.stringify({ value, ...REASON }),
      });
    expect((await put({ connectionPool: { maxConnections: 3 } })).status).toBe(200);
    await everywhere("it has 3 connections", places(), async (at) => (await connections(at)) === 3);
    expect((await put({})).status).toBe(200);
    await everywhere("it has as many as before", places(), async (at) => (await connections(at)) === before);
  });

  test("a kill order is seen by all, and each says since when", async () => {
    const [first] = places();
    const { version } = await told(first, "/kill", { ...REASON, flags: ["a"] });
    await everywhere("it is seen", places(), async (at) => {
      const seen = (await status(at)).orders.kill;
      return seen?.version === version;
    });
  });
}

describe("Workers with one Durable Object", () => {
  let rig: Rig;
  const place = (name: string): Place => ({ name, ask: (path, init) => rig.ask(name, path, init) });
  const names = ["first", "second", "cached"];

  beforeAll(async () => {
    rig = await startRig((url) => {
      const bindings = {
        TURSO_DATABASE_URL: url,
        SEAWALL_ADMIN_TOKEN: TOKEN,
        SEAWALL_FOLLOW_INTERVAL_MS: String(FOLLOW_MS),
      };
      const own = { className: "SeawallStore", useSQLite: true };
      const others = { SEAWALL_STORE: { ...own, scriptName: "first" } };
      const kvNamespaces = { SEAWALL_KV: "orders" };
      return {
        first: { modules, bindings, kvNamespaces, durableObjects: { SEAWALL_STORE: own } },
        second: { modules, bindings, kvNamespaces, durableObjects: others } as TestWorker,
        // It looks into KV only, but for once a minute.
        cached: {
          modules,
          bindings: { ...bindings, SEAWALL_FOLLOW_CACHE: "true" },
          kvNamespaces,
          durableObjects: others,
        } as TestWorker,
        fresh: { modules, bindings, kvNamespaces, durableObjects: others } as TestWorker,
        alone: { modules, bindings },
      };
    });
    // The first look of one that follows KV is at the Durable Object.
    for (const name of names) expect((await place(name).ask("/api/status")).status).toBe(200);
  });
  afterAll(() => rig?.stop());

  fleetTests(
    () => names.map(place) as [Place, ...Place[]],
    async () => place("fresh"),
  );

  test("who follows KV says so", async () => {
    expect((await status(place("first"))).follow).toStrictEqual({ source: "strong", interval_ms: FOLLOW_MS });
    expect((await status(place("cached"))).follow).toStrictEqual({ source: "cache", interval_ms: FOLLOW_MS });
  });

  test("one without a strong store goes on", async () => {
    const alone = place("alone");
    for (let look = 0; look < 3; look += 1) expect((await status(alone)).orders).toStrictEqual({});
    expect((await alone.ask("/api/health")).status).toBe(200);
  });

  test("what was ordered holds after a restart of all, and the log is whole", async () => {
    await told(place("first"), "/circuits/primary/hold", { ...REASON, state: "open" });
    await rig.restart();
    await everywhere("it is held", names.map(place), async (at) => (await circuitOf(at)) === "OPEN");
    const verified = await place("second").ask("/admin/api/audit/verify", { headers });
    expect(await verified.json()).toMatchObject({ isWhole: true, next: null });
  });
});

describe("monitors on one Redis", () => {
  let server: Server;
  const ends: (() => unknown)[] = [];
  const places: Place[] = [];
  const seen: string[] = [];
  let monitors: Monitor[] = [];

  function monitorAt(name: string): Place {
    const redis = new Redis(server.url).on("error", () => {});
    const primary = createClient({ url: "http://127.0.0.1:9", authToken: "none" });
    const monitor = createMonitor({
      databases: { primary },
      store: strongRedisStore(redis),
      adminToken: TOKEN,
      admin: { followIntervalMs: FOLLOW_MS },
    });
    ends.push(
      () => monitor.close(),
      () => primary.close(),
      () => redis.disconnect(),
    );
    monitors.push(monitor);
    return {
      name,
      async ask(path, init) {
        // A glance asks no database, which is not there.
        if (path === "/api/status") {
          await monitor.tick();
          return Response.json(monitor.status());
        }
        return monitor.handle(new Request(`https://example.com${path}`, init));
      },
    };
  }

  beforeAll(async () => {
    server = await startRedis();
    places.push(monitorAt("one"), monitorAt("two"));
    monitors[1]?.on("order", (name, { version }) => seen.push(`${name} ${version}`));
    monitors[1]?.on("order", () => {
      throw new Error("the application's own");
    });
  });
  afterAll(async () => {
    for (const end of ends) await end();
    monitors = [];
    await server?.stop();
  });

  fleetTests(
    () => places as [Place, ...Place[]],
    async () => monitorAt("fresh"),
  );

  test("the application hears of each newer order once, and can ask what holds", async () => {
    expect(monitors[1]?.orders.kill).toMatchObject({ version: 1, reason: "a test", value: { flags: ["a"] } });
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toContain("kill 1");
    expect(seen).toContain("config 2");
  });
});
