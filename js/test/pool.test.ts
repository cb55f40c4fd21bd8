// The pool as its users see it: priorities, strategies, warming, checks, cleaning up, bounds that change.

import { expect, test, vi } from "vitest";
import type { Config } from "../src/api.ts";
import { createClient } from "../src/client.ts";
import type { SeawallOptions } from "../src/config/options.ts";
import { createGuard } from "../src/guard.ts";
import type { Connections } from "../src/operation.ts";
import { platform } from "../src/platform/platform.ts";
import { controlsOfProtected, protect } from "../src/protect/protect.ts";
import { type Asked, obliging } from "./fake-server.ts";
import { guardOf, handSetClock, hanging, ONE_LEASE, platformOf, READ, rejection, settle, trap } from "./guards.ts";

handSetClock();

interface Behind extends Connections {
  setUps: number[];
  checks: number[];
  retired: number[];
}

/** What is behind connections, as a test says. */
function behind(setUp = async (_: number) => {}, check = async (_: number) => true): Behind {
  const it: Behind = {
    setUps: [],
    checks: [],
    retired: [],
    setUp(connection) {
      it.setUps.push(connection);
      return setUp(connection);
    },
    check(connection) {
      it.checks.push(connection);
      return check(connection);
    },
    retire: (connection) => it.retired.push(connection),
  };
  return it;
}

function guardWith(
  connections: Connections,
  connectionPool: NonNullable<SeawallOptions["connectionPool"]>,
  isPolling = false,
) {
  return createGuard({ connectionPool }, "pool", platformOf({ isPolling }), undefined, connections);
}

function clientOf(seawall: SeawallOptions = {}, asked: unknown[] = []) {
  const fetch: Config["fetch"] = async (request: Request) => {
    const body = JSON.parse(await request.text());
    asked.push(body);
    return Response.json(obliging({ body } as Asked));
  };
  return createClient({ url: "https://db.example.com", fetch, seawall });
}

test("POOL-13: of those who wait, the most urgent go first, and an unknown priority is refused", async () => {
  const guard = guardOf(ONE_LEASE);
  const { made, attempt } = hanging();
  guard.run(READ, attempt);
  await settle();
  const order: string[] = [];
  const waiters = (["low", "medium", "critical", "high"] as const).map((priority) =>
    guard.run({ ...READ, priority }, async () => order.push(priority)),
  );
  await settle();
  expect(guard.status().pool.pending).toBe(4);
  made[0]?.resolve("held");
  await Promise.all(waiters);
  expect(order).toEqual(["critical", "high", "medium", "low"]);
  expect(await rejection(guard.run({ ...READ, priority: "urgent" as never }, attempt))).toBeInstanceOf(RangeError);
});

test("POOL-13: the option of an operation reaches the queue", async () => {
  const client = clientOf({ connectionPool: { maxConnections: 1 } });
  const order: number[] = [];
  const note = (n: number) => () => order.push(n);
  const first = client.execute("SELECT 1").then(note(1));
  const low = client.execute({ sql: "SELECT 2", seawall: { priority: "low" } }).then(note(2));
  const critical = client.execute({ sql: "SELECT 3", seawall: { priority: "critical" } }).then(note(3));
  await Promise.all([first, low, critical]);
  expect(order).toEqual([1, 3, 2]);
});

test("POOL-17, POOL-18: strategy takes four values and is adaptive by default", () => {
  const limitOf = (connectionPool: NonNullable<SeawallOptions["connectionPool"]>) =>
    guardOf({ connectionPool }).status().pool.limit;
  expect(limitOf({ maxConnections: 5 })).toBe(limitOf({ maxConnections: 5, strategy: "adaptive" }));
  expect(limitOf({ maxConnections: 5, strategy: "adaptive" })).toBe(1);
  expect(limitOf({ maxConnections: 5, strategy: "resource_conserving" })).toBe(1);
  expect(limitOf({ maxConnections: 5, strategy: "balanced" })).toBe(5);
  expect(limitOf({ maxConnections: 5, strategy: "performance" })).toBe(5);
  expect(() => guardOf({ connectionPool: { strategy: "greedy" as never } })).toThrow(
    /connectionPool.strategy must be one of adaptive, balanced, performance, resource_conserving, got "greedy"/,
  );
});

test("POOL-19: adaptive lets a burst through at once and does not wait for its connections", async () => {
  const guard = guardOf({ connectionPool: { maxConnections: 5 } });
  const { made, attempt } = hanging();
  for (let call = 0; call < 5; call += 1) guard.run(READ, attempt);
  await settle();
  expect(made).toHaveLength(5);
  expect(guard.status().pool).toMatchObject({ limit: 5, borrowed: 5, pending: 0 });
});

test("POOL-21, POOL-24: initial connections are ready before the first operation, and never more than the maximum", async () => {
  const connections = behind();
  const guard = guardWith(connections, { maxConnections: 3, initialConnections: 10 });
  guard.startWarm();
  await settle();
  expect(connections.setUps).toEqual([1, 2, 3]);
  expect(guard.status().pool).toMatchObject({ size: 3, available: 3, warmed: 3, created: 3 });
  let used = 0;
  await guard.run(READ, async (cx) => {
    used = cx.connection;
  });
  expect(connections.setUps).toContain(used);
  expect(guard.status().pool.created).toBe(3);
});

test("POOL-21: a client sends one empty request for each connection, and none unless it is asked to", async () => {
  const quiet: unknown[] = [];
  await clientOf({}, quiet).seawall.warm();
  expect(quiet).toEqual([]);
  const asked: unknown[] = [];
  const client = clientOf({ connectionPool: { maxConnections: 4, initialConnections: 2 } }, asked);
  await client.seawall.warm();
  await settle();
  expect(asked).toEqual([{ requests: [{ type: "close" }] }, { requests: [{ type: "close" }] }]);
  expect(client.seawall.getPoolStats()).toEqual({ size: 2, available: 2, borrowed: 0, pending: 0, min: 1, max: 4 });
});

test("POOL-32: on Workers nothing is warmed before a request, and then in its background", async () => {
  const connections = behind();
  const work: Promise<unknown>[] = [];
  const workers = platformOf({ isPolling: true, waitUntil: (promise) => work.push(promise) });
  const options = { connectionPool: { maxConnections: 3, initialConnections: 3 } };
  const guard = createGuard(options, "pool", workers, undefined, connections);
  guard.startWarm();
  await settle();
  expect(connections.setUps).toEqual([]);
  await guard.run(READ, async () => {});
  expect(work).toHaveLength(1);
  await work[0];
  expect(connections.setUps).toHaveLength(2);
  expect(vi.getTimerCount()).toBe(0);
});

test("POOL-25, POOL-29: a set-up that takes too long has failed, and is tried three more times", async () => {
  const connections = behind(() => new Promise(() => {}));
  const guard = guardWith(connections, { initialConnections: 1, connectionTimeout: 2_000, retryDelay: 300 });
  const warm = guard.warm();
  await vi.advanceTimersByTimeAsync(1_999);
  expect(connections.setUps).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1 + 300 + 3 * 2_300);
  await warm;
  expect(connections.setUps).toHaveLength(4);
  expect(guard.status().pool.available).toBe(0);
  expect(await guard.run(READ, async () => "works all the same")).toBe("works all the same");
});

test("POOL-12, POOL-27: a connection that was idle for long is checked first, and replaced when it is broken", async () => {
  let works = true;
  const connections = behind(undefined, async () => works);
  const guard = guardWith(connections, { validationInterval: 5_000 });
  const used: number[] = [];
  const run = () => guard.run(READ, async (cx) => used.push(cx.connection));
  await run();
  vi.setSystemTime(Date.now() + 5_000);
  await run();
  expect(connections.checks).toEqual([]);
  vi.setSystemTime(Date.now() + 5_001);
  await run();
  expect(connections.checks).toEqual([1]);
  works = false;
  vi.setSystemTime(Date.now() + 5_001);
  await guard.call(async () => {});
  await settle();
  expect([used, connections.retired]).toEqual([[1, 1, 1], [1]]);
  expect(guard.status().pool).toMatchObject({ created: 2, validated: 2, recycled: 1, borrowed: 0 });
});

test("POOL-12: a check that hangs counts as failed, and the operation goes on", async () => {
  const connections = behind(undefined, () => new Promise(() => {}));
  const guard = guardWith(connections, { validationInterval: 5_000 });
  await guard.run(READ, async () => {});
  vi.setSystemTime(Date.now() + 5_001);
  const late = guard.run(READ, async (cx) => cx.connection);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await late).toBe(2);
});

test("POOL-12: the lease of a transaction is for a connection that was checked as well", async () => {
  const connections = behind(undefined, async () => false);
  const guard = guardWith(connections, { validationInterval: 5_000 });
  await guard.run(READ, async () => {});
  vi.setSystemTime(Date.now() + 5_001);
  const lease = await guard.lease({ class: "transaction", kind: "write" });
  expect([lease.connection, connections.checks]).toEqual([2, [1]]);
  lease.release();
});

test("POOL-09: connections are closed by hand: idle ones, one, all", async () => {
  const connections = behind();
  const guard = guardWith(connections, { maxConnections: 3 });
  const { made, attempt } = hanging();
  for (let call = 0; call < 3; call += 1) guard.run(READ, attempt);
  await settle();
  made[0]?.resolve("");
  made[1]?.resolve("");
  await settle();
  expect(guard.cleanUp(1)).toBe(1);
  expect(guard.cleanUp(1)).toBe(0);
  expect(guard.cleanUp("idle")).toBe(1);
  expect(guard.cleanUp("all")).toBe(1);
  expect(guard.connections().map(({ id, state }) => [id, state])).toEqual([[3, "draining"]]);
  made[2]?.resolve("");
  await settle();
  expect(guard.status().pool.size).toBe(0);
  expect([...connections.retired].sort()).toEqual([1, 2, 3]);
  for (const bad of ["some", 0, 1.5, -1]) expect(() => guard.cleanUp(bad as never)).toThrow(RangeError);
});

test("POOL-10, SM-04: each connection tells its number, kind of database, tier, times, counts and history", async () => {
  vi.spyOn(platform, "now").mockImplementation(() => Date.now());
  const client = clientOf();
  client.seawall.resize({ tier: "pro" });
  await client.execute("SELECT 1");
  const now = Date.now();
  const { history, ...told } = client.seawall.connections()[0] as { history: unknown[] };
  expect(told).toEqual({
    id: 1,
    state: "ready",
    databaseType: "libsql",
    tier: "pro",
    createdAtMs: now,
    lastUsedAtMs: now,
    uses: 1,
    errors: 0,
  });
  expect(history).toHaveLength(4);
});

test("POOL-11: another tier changes the bounds while it runs, and a bound that cannot be used changes nothing", async () => {
  const client = clientOf();
  const { seawall } = client;
  expect(seawall.getPoolStats()).toMatchObject({ min: 1, max: 2 });
  seawall.resize({ tier: "pro", minConnections: 2, maxConnections: 8 });
  expect(seawall.getPoolStats()).toMatchObject({ min: 2, max: 8 });
  expect(() => seawall.resize({ maxConnections: 0 })).toThrow(/connectionPool.maxConnections must be/);
  expect(seawall.getPoolStats()).toMatchObject({ min: 2, max: 8 });
  let most = 0;
  await Promise.all(
    Array.from({ length: 20 }, async () => {
      const running = client.execute("SELECT 1");
      await settle();
      most = Math.max(most, seawall.getPoolStats().borrowed);
      await running;
    }),
  );
  seawall.resize({ minConnections: 1, maxConnections: 1 });
  await client.execute("SELECT 1");
  expect(seawall.getPoolStats().size).toBe(1);
});

test("POOL-14, POOL-34: getPoolStats and getMetrics follow every call", async () => {
  const client = clientOf();
  const { seawall } = client;
  expect(seawall.getPoolStats()).toEqual({ size: 0, available: 0, borrowed: 0, pending: 0, min: 1, max: 2 });
  const all = Promise.all([1, 2, 3].map((n) => client.execute(`SELECT ${n}`)));
  await Promise.resolve();
  expect(seawall.getMetrics().connectionPool).toMatchObject({ size: 2, available: 0, borrowed: 2, pending: 1 });
  await all;
  expect(seawall.getMetrics().connectionPool).toMatchObject({ size: 2, available: 2, borrowed: 0, pending: 0 });
});

test("POOL-35: at half of what it can serve, the pool is used by less than 80 % and nobody waits too long", async () => {
  const guard = guardOf({ connectionPool: { maxConnections: 5 } });
  let [looks, used] = [0, 0];
  const running: Promise<unknown>[] = [];
  // 20 ms each, five at once: 250 a second can be served, and 125 come.
  for (let call = 0; call < 250; call += 1) {
    running.push(guard.run(READ, () => new Promise<void>((resolve) => setTimeout(resolve, 20))));
    await vi.advanceTimersByTimeAsync(8);
    looks += 1;
    used += guard.status().pool.borrowed / guard.status().pool.max;
  }
  await vi.advanceTimersByTimeAsync(100);
  await Promise.all(running);
  expect(used / looks).toBeLessThan(0.8);
  expect(used / looks).toBeGreaterThan(0.3);
  expect(guard.status().totals.byRefusal).toEqual([]);
});

test("POOL-30: connectionWarming, enableMetrics and enableTracing are accepted, and what does nothing is said", async () => {
  const asked: unknown[] = [];
  const connectionPool = { initialConnections: 2, connectionWarming: false, enableMetrics: true, enableTracing: false };
  const client = clientOf({ connectionPool }, asked);
  await client.seawall.warm();
  expect(asked).toEqual([]);
  expect(client.seawall.status().ignored.map(({ name }) => name)).toEqual([
    "seawall.connectionPool.enableMetrics",
    "seawall.connectionPool.enableTracing",
  ]);
});

test("POOL-12, POOL-21: a protected client is warmed and checked by its own ping", async () => {
  vi.spyOn(platform, "now").mockImplementation(() => Date.now());
  let pings = 0;
  const ping = async () => {
    pings += 1;
  };
  const redis = protect(
    { get: async (key: string) => key },
    {
      type: "redis",
      ping,
      connectionPool: { enabled: true, initialConnections: 1, validationInterval: 5_000 },
    },
  );
  await settle();
  expect(pings).toBe(1);
  expect(await redis.get("a")).toBe("a");
  vi.setSystemTime(Date.now() + 5_001);
  expect(await redis.get("b")).toBe("b");
  expect(pings).toBe(2);
  expect(controlsOfProtected(redis)?.connections()[0]).toMatchObject({ databaseType: "redis", uses: 2 });
});

test("a core that traps while the pool is looked after is replaced, and harms nobody", async () => {
  for (const method of ["nextPoolWork", "setUp", "checked", "connectionOf"] as const) {
    const guard = guardWith(behind(), { initialConnections: 1, validationInterval: 5_000 });
    trap(method);
    await guard.warm();
    vi.setSystemTime(Date.now() + 5_001);
    expect(await guard.run(READ, async () => method)).toBe(method);
    expect(guard.status().coreRecoveries).toBe(1);
  }
});
