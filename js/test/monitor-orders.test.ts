// Orders through the monitor of the package: what it is given, and what an operator is told.
import { expect, test } from "vitest";
import { createFlags } from "../src/flags/index.ts";
import { createMonitor, monitorOn } from "../src/monitor/monitor.ts";
import { platform } from "../src/platform/platform.ts";
import { memoryStore, strongMemoryStore } from "../src/store/memory.ts";
import type { Store } from "../src/store/store.ts";
import type { StrongStore } from "../src/store/strong.ts";
import { Tenants } from "../src/tenants/tenants.ts";

const TOKEN = "t0ken-of-the-operator-that-nobody-may-see";

/** A database that nobody asks here. */
const databases = { primary: { seawall: { status: () => ({}), healthCheck: async () => true } } };

function operator(store?: StrongStore, cache?: Store, adminToken: string | undefined = TOKEN) {
  const given = { ...(store && { store }), ...(cache && { cache }), ...(adminToken !== "" && { adminToken }) };
  const monitor = createMonitor({ databases, ...given });
  return (method: string, headers: Record<string, string> = {}, body?: BodyInit, path = "/orders/flags") =>
    monitor.handle(
      new Request(`https://example.com/admin/api${path}`, {
        method,
        headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", ...headers },
        ...(body !== undefined && { body, duplex: "half" }),
      } as RequestInit),
    );
}

const order = (value: unknown) => JSON.stringify({ value, reason: "a test", by: "ada" });

test("an order is given, read back, and replaced by who read it", async () => {
  const ask = operator(strongMemoryStore());
  const first = await ask("PUT", { "if-match": '"0"' }, order({ version: 1, revision: 1 }));
  expect([first.status, first.headers.get("etag")]).toEqual([200, '"1"']);
  const read = await ask("GET");
  expect(await read.json()).toStrictEqual({
    name: "flags",
    version: 1,
    updatedAt: expect.stringMatching(/^\d{4}-/),
    by: "ada",
    reason: "a test",
    value: { version: 1, revision: 1 },
  });
  expect((await ask("GET", { "if-none-match": '"1"' })).status).toBe(304);
  expect((await ask("PUT", { "if-match": '"1"' }, order({ version: 1, revision: 2 }))).status).toBe(200);
  const late = await ask("PUT", { "if-match": '"1"' }, order({ version: 1, revision: 3 }));
  expect(late.status).toBe(412);
  expect(await late.json()).toMatchObject({ code: "ORDER_CHANGED", expectedVersion: 1, currentVersion: 2 });
  expect((await ask("PUT", {}, order({ version: 1 }))).status).toBe(428);
});

test("H018 and H024: without the token nobody is let in, and without one configured nobody at all", async () => {
  const ask = operator(strongMemoryStore());
  const refused = await ask("GET", { authorization: "Bearer wrong" });
  expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
  expect((await operator(strongMemoryStore(), undefined, "")("GET")).status).toBe(503);
  expect(
    (await operator(strongMemoryStore(), undefined, "short")("GET", { authorization: "Bearer short" })).status,
  ).toBe(503);
});

test("H058 and H060: a body that is too long, or encoded, is refused", async () => {
  const ask = operator(strongMemoryStore());
  const headers = { "if-match": "*" };
  expect((await ask("PUT", headers, "a".repeat(524_289))).status).toBe(413);
  expect((await ask("PUT", { ...headers, "content-encoding": "gzip" }, order({ version: 1 }))).status).toBe(415);
  expect((await ask("PUT", headers, new Uint8Array([0xff]))).status).toBe(400);
  expect((await ask("PUT", headers, order({ version: 1 }))).status).toBe(200);
});

test("the cache follows, and is read where somebody asks for it", async () => {
  const cache = memoryStore();
  const store = strongMemoryStore();
  const ask = operator(store, cache);
  await ask("PUT", { "if-match": "*" }, order({ version: 1, revision: 1 }));
  expect(await cache.get("seawall/orders/flags")).toBe(await store.read("orders/flags"));
  const elsewhere = operator({ ...store, read: () => Promise.reject(new Error("gone")) }, cache);
  const cached = await elsewhere("GET", {}, undefined, "/orders/flags?cached=true");
  // It has never asked the strong store, and cannot; what the cache has is all that there is.
  expect([cached.status, ((await cached.json()) as { version: number }).version]).toEqual([200, 1]);
  expect((await elsewhere("GET")).status).toBe(503);
});

test("a cache that fails costs nobody an order", async () => {
  const broken = () => Promise.reject(new Error("KV PUT failed: 429 Too Many Requests"));
  const cache: Store = { ...memoryStore(), get: broken, put: broken };
  const ask = operator(strongMemoryStore(), cache);
  expect((await ask("PUT", { "if-match": "*" }, order({ version: 1, revision: 1 }))).status).toBe(200);
  const read = await ask("GET", {}, undefined, "/orders/flags?cached=true");
  expect(((await read.json()) as { version: number }).version).toBe(1);
});

test("without a store the routes say what is missing", async () => {
  const response = await operator()("GET");
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({
    code: "STORE_UNAVAILABLE",
    detail: expect.stringContaining("give createMonitor a store"),
  });
});

test("what is no strong store is named when the monitor is made", () => {
  for (const store of [memoryStore(), null, 7, {}]) {
    expect(() => createMonitor({ databases, store: store as never })).toThrow("store must be a strong store");
  }
  for (const cache of [null, 7, {}]) {
    expect(() => createMonitor({ databases, cache: cache as never })).toThrow("cache must be a store of hints");
  }
});

test("the application hears once of each newer order, and what it throws stops nothing", async () => {
  const store = strongMemoryStore();
  const monitor = createMonitor({ databases, store, adminToken: TOKEN, admin: { followIntervalMs: 100 } });
  const heard: [string, number][] = [];
  const put = (method: string, path: string, body: string) =>
    monitor.handle(
      new Request(`https://example.com/admin/api${path}`, {
        method,
        headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", "if-match": "*" },
        body,
      }),
    );
  await put("PUT", "/orders/flags", order({ version: 1, revision: 1 }));
  await monitor.tick();
  monitor.on("order", () => Promise.reject(new Error("its own")));
  monitor.on("order", () => {
    throw new Error("its own");
  });
  const end = monitor.on("order", (name, { version }) => heard.push([name, version]));
  await monitor.tick();
  expect(heard).toEqual([]);
  await put("POST", "/kill", '{"reason":"a test"}');
  await monitor.tick();
  await monitor.tick();
  expect(heard).toEqual([["kill", 1]]);
  expect(monitor.orders).toMatchObject({
    flags: { version: 1, by: "ada" },
    kill: { version: 1, value: { all: true } },
  });
  end();
  await put("POST", "/kill/release", '{"reason":"a test"}');
  await monitor.tick();
  expect([heard.length, monitor.orders.kill?.version]).toEqual([1, 2]);
  expect(() => monitor.on("orders" as "order", () => {})).toThrow(RangeError);
  expect(() => monitor.on("order", undefined as never)).toThrow(TypeError);
  monitor.close();
});

test("what an operator says of a tenant holds in another isolate that follows", async () => {
  const store = strongMemoryStore();
  const ask = operator(store);
  const tenants = new Tenants({ open: () => ({ client: { ask: () => 1 } }) });
  const follower = createMonitor({ databases, store, tenants: { customers: tenants } });
  const body = JSON.stringify({ suspended: true, reason: "does not pay" });
  expect((await ask("PUT", {}, body, "/tenants/acme")).status).toBe(200);
  await follower.tick();
  expect(() => tenants.get("acme")).toThrow(expect.objectContaining({ code: "TENANT_SUSPENDED" }));
  expect(tenants.get<{ ask(): number }>("other").ask()).toBe(1);
  tenants.close();
});

test("CFG-10: a backup that is longer than other bodies may be is put back, and what is too long even for that is not", async () => {
  const ask = operator(strongMemoryStore());
  const put = (name: string, value: unknown) => ask("PUT", { "if-match": "*" }, order(value), `/orders/${name}`);
  const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, at) => [`${"f".repeat(50)}${at}`, {}]));
  expect((await put("flags", { version: 1, flags: many })).status).toBe(200);
  expect((await put("phase", { a: "x".repeat(60_000) })).status).toBe(200);
  const backup = await (await ask("GET", {}, undefined, "/backup")).json();
  expect(JSON.stringify(backup).length).toBeGreaterThan(100_000);
  await ask("PUT", { "if-match": "*" }, order({ version: 1, revision: 1 }));
  const restored = await ask("POST", {}, JSON.stringify({ backup, reason: "back" }), "/restore");
  expect([restored.status, await restored.json()]).toMatchObject([
    200,
    { changed: [{ name: "flags", from: 2, to: 3 }], unchanged: ["phase"] },
  ]);
  expect((await ask("POST", {}, " ".repeat(1_048_577), "/restore")).status).toBe(413);
  expect((await ask("POST", {}, " ".repeat(65_537), "/kill")).status).toBe(413);
});

test("the application, and flags, hear each time that what was seen is all that there is", async () => {
  const real = strongMemoryStore();
  let isGone = false;
  const store = { ...real, read: (key: string) => (isGone ? Promise.reject(new Error("gone")) : real.read(key)) };
  const clock = { nowMs: 1_704_067_200_000 };
  const monitor = monitorOn({ databases, store, adminToken: TOKEN }, { ...platform, now: () => clock.nowMs });
  const flags = createFlags({ monitor, env: {} });
  const heard: number[] = [];
  const end = monitor.on("verified", (atMs) => heard.push(atMs - 1_704_067_200_000));
  monitor.on("verified", () => {
    throw new Error("the application's own");
  });
  const value = { version: 1, flags: { aged: { maxAge: "5m", rules: [{ serve: "on" }] } } };
  expect((await operator(real)("PUT", { "if-match": "*" }, order(value))).status).toBe(200);
  const tickAt = async (ms: number) => {
    clock.nowMs = 1_704_067_200_000 + ms;
    await monitor.tick();
  };
  await tickAt(1_000);
  await tickAt(1_001);
  await tickAt(2_000);
  isGone = true;
  await tickAt(3_000);
  expect(heard).toStrictEqual([1_000, 2_000]);
  // By the clock of this test the look was years ago.
  expect(flags.for({}).booleanDetails("aged")).toMatchObject({ value: true, reason: "STALE" });
  isGone = false;
  end();
  await tickAt(4_000);
  expect(heard.length).toBe(2);
  expect(() => monitor.on("verified", 5 as never)).toThrow(TypeError);
  expect(() => monitor.on("nothing" as never, () => {})).toThrow(RangeError);
  flags.close();
});
