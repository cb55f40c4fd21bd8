// Flags that live in a store, in isolates that run no monitor. Operators write by a monitor's routes, as they do.
import { describe, expect, test, vi } from "vitest";
import { Flags, type FlagsOptions } from "../src/flags/flags.ts";
import { createFlags, FlagsRefusedError } from "../src/flags/index.ts";
import { tools } from "../src/flags/tools.ts";
import type { Passenger } from "../src/hrana/piggyback.ts";
import { createMonitor } from "../src/monitor/index.ts";
import { platform as thisPlatform } from "../src/platform/platform.ts";
import { memoryStore, strongMemoryStore } from "../src/store/memory.ts";
import type { Store } from "../src/store/store.ts";
import type { StrongStore } from "../src/store/strong.ts";

const TOKEN = "an-admin-token-of-a-test-and-of-nothing-else";
const NOW = 1_704_067_200_000;
const databases = { primary: { seawall: { status: () => ({}), healthCheck: async () => true } } };

const documentOf = (revision: number, more = {}) => ({
  version: 1,
  revision,
  flags: { banner: on, limit: on },
  ...more,
});
const on = { rules: [{ serve: "on" }] };

/** Operators of a store, by another isolate's monitor. */
function operators(store: StrongStore, cache?: Store) {
  const monitor = createMonitor({ databases, store, adminToken: TOKEN, ...(cache && { cache }) });
  const send = async (method: string, path: string, body: unknown, headers = {}) => {
    const { status } = await monitor.handle(
      new Request(`https://example.com/admin/api${path}`, {
        method,
        headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
      }),
    );
    expect(status).toBe(200);
  };
  return {
    flags: (value: unknown) => send("PUT", "/orders/flags", { value, reason: "a test" }, { "if-match": "*" }),
    kill: (flags?: string[]) => send("POST", "/kill", { reason: "a test", ...(flags && { flags }) }),
    release: () => send("POST", "/kill/release", { reason: "a test" }),
  };
}

/** A store that is counted, and can be made to fail, hang or lie. */
function watched<S extends StrongStore | Store>(store: S) {
  const reads: string[] = [];
  const faults = { answer: undefined as undefined | ((key: string) => Promise<string | null> | undefined) };
  const read = (key: string) => {
    reads.push(key);
    const real = () => ("read" in store ? store.read(key) : store.get(key));
    return faults.answer?.(key) ?? real();
  };
  return { store: { ...store, ...("read" in store ? { read } : { get: read }) } as S, reads, faults };
}

/** Flags with a clock that is set by hand. */
function flagsAt(options: FlagsOptions) {
  const clock = { nowMs: NOW };
  const works: Promise<unknown>[] = [];
  const platform = {
    ...thisPlatform,
    now: () => clock.nowMs,
    waitUntil: (work: Promise<unknown>) => void works.push(work),
  };
  const flags = new Flags({ env: {}, ...options }, tools, platform);
  const ask = (key = "banner") => flags.for({}).boolean(key);
  /** Somebody asks, and what that began in the background ends. */
  const askAnd = async () => {
    ask();
    await Promise.all(works.splice(0));
  };
  return { flags, clock, works, ask, askAnd };
}

describe("a strong store", () => {
  test("FLG-08: what was bundled holds until the store has answered; then its flags do, and what is killed there is off", async () => {
    const { store } = watched(strongMemoryStore());
    const { flags: order, kill, release } = operators(store);
    await order(documentOf(7));
    const { flags, clock, ask, askAnd } = flagsAt({
      store,
      definitions: { version: 1, revision: 1, flags: { banner: {} } },
    });
    expect([ask(), flags.revision]).toStrictEqual([false, 1]);
    await askAnd();
    expect([ask(), flags.revision]).toStrictEqual([true, 7]);
    await kill(["banner"]);
    const context = flags.for({});
    expect(context.boolean("banner")).toBe(true);
    clock.nowMs += 500;
    await askAnd();
    // Also for who was there before.
    expect([context.boolean("banner"), ask("limit")]).toStrictEqual([false, true]);
    expect(flags.for({}).booleanDetails("banner", true)).toMatchObject({
      value: false,
      reason: "DISABLED",
      metadata: { by: "kill" },
    });
    expect(flags.following).toMatchObject({ store: "memory", versions: { flags: 1, kill: 1 }, problem: null });
    await release();
    clock.nowMs += 500;
    await askAnd();
    expect(ask()).toBe(true);
  });

  test("nobody waits for a look, one is out at a time, and what has not changed is read as one small text", async () => {
    const { store, reads, faults } = watched(strongMemoryStore());
    await operators(store).flags(documentOf(7));
    reads.length = 0;
    const { clock, works, ask, askAnd } = flagsAt({ store });
    let answer = (_: string | null) => {};
    faults.answer = () => new Promise((resolve) => (answer = resolve));
    for (let i = 0; i < 50; i += 1) expect(ask()).toBe(false);
    clock.nowMs += 600;
    ask();
    expect([reads, works.length]).toStrictEqual([["audit/head"], 1]);
    faults.answer = undefined;
    answer(await store.read("audit/head"));
    await Promise.all(works.splice(0));
    expect(ask()).toBe(true);
    reads.length = 0;
    clock.nowMs += 499;
    await askAnd();
    for (let i = 0; i < 3; i += 1) {
      clock.nowMs += 500;
      await askAnd();
    }
    expect(reads).toStrictEqual(["audit/head", "audit/head", "audit/head"]);
    // A clock that stepped back is no reason to wait.
    clock.nowMs -= 3_600_000;
    await askAnd();
    expect(reads.length).toBe(4);
    // Who began a look may be gone, and the look with it.
    faults.answer = () => new Promise(() => {});
    for (const ms of [500, 4_999, 1]) {
      clock.nowMs += ms;
      ask();
    }
    expect([reads.length, works.length]).toStrictEqual([6, 2]);
  });

  test("a store that fails, hangs or lies changes nothing, is told once, and nothing throws where flags are asked", async () => {
    const { store, faults } = watched(strongMemoryStore());
    const { flags: order, kill } = operators(store);
    await order(documentOf(7));
    await kill(["limit"]);
    const { flags, clock, ask, askAnd } = flagsAt({ store });
    expect(await flags.ready()).toBe(true);
    const told: string[] = [];
    flags.on("stale", ({ error, confirmedAtMs }) =>
      told.push(`stale ${(error as Error).message} ${confirmedAtMs - NOW}`),
    );
    flags.on("fresh", ({ store }) => told.push(`fresh ${store}`));
    flags.on("refused", ({ error }) => told.push(error.problems.join()));
    const holds = () => expect([ask(), ask("limit"), flags.revision]).toStrictEqual([true, false, 7]);

    faults.answer = () => Promise.reject(new Error("it is gone"));
    for (let i = 0; i < 3; i += 1) {
      clock.nowMs += 500;
      await askAnd();
      holds();
    }
    await expect(flags.refresh()).rejects.toThrow("it is gone");
    expect(await flags.ready()).toBe(false);
    expect(flags.following?.problem).toBe("it is gone");
    faults.answer = undefined;
    await flags.refresh();
    expect(told.splice(0)).toStrictEqual(["stale it is gone 0", "fresh memory"]);

    for (const garbage of ["", "null", "<html>", "{}", "x".repeat(1_000_000)]) {
      faults.answer = async () => garbage;
      await expect(flags.refresh()).rejects.toThrow("the head of the audit log is damaged");
      holds();
    }
    expect(told.splice(0).sort()).toStrictEqual([
      "stale the head of the audit log is damaged 1500",
      "the head of the audit log is damaged",
    ]);

    vi.useFakeTimers();
    faults.answer = () => new Promise(() => {});
    const hanging = expect(flags.refresh()).rejects.toThrow("the memory store did not answer within 5000 ms");
    expect(ask()).toBe(true);
    await vi.advanceTimersByTimeAsync(5_000);
    await hanging;
    vi.useRealTimers();
    holds();
  });

  test("an order that the head does not name, that is damaged, or that is older than what holds is not taken", async () => {
    const real = strongMemoryStore();
    const { store, faults } = watched(real);
    const { flags: order, kill } = operators(store);
    await order(documentOf(7));
    const [oldHead, old] = [await real.read("audit/head"), await real.read("orders/flags")];
    await order(documentOf(8));
    await kill();
    await kill(["x"]);
    const { flags, ask } = flagsAt({ store });
    const [head, text] = [await real.read("audit/head"), await real.read("orders/flags")];
    // Version 2, by another hand: its own checksum is right, and the head's is another.
    const beside = strongMemoryStore();
    const { flags: forge } = operators(beside);
    await forge(documentOf(665));
    await forge(documentOf(666));
    const forged = await beside.read("orders/flags");
    for (const [wrong, problem] of [
      [forged, "an order is not the one that the head of the audit log names"],
      [old, "an order is not the one that the head of the audit log names"],
      [String(text).replace('"revision":8', '"revision":9'), "an order is damaged"],
      [null, "an order is gone that the head of the audit log names"],
    ] as const) {
      faults.answer = (key) => (key === "orders/flags" ? Promise.resolve(wrong) : undefined);
      await expect(flags.refresh()).rejects.toThrow(`flags: ${problem}`);
      // What can be used is: everything is off.
      expect([flags.revision, flags.for({}).booleanDetails("banner").errorCode]).toStrictEqual([
        0,
        "PROVIDER_NOT_READY",
      ]);
      expect(flags.following).toMatchObject({ versions: { flags: 0, kill: 2 } });
    }
    faults.answer = undefined;
    await flags.refresh();
    expect([flags.revision, ask()]).toStrictEqual([8, false]);
    // A replica, or a backup, that has the first version still.
    faults.answer = async (key) => (key === "audit/head" ? oldHead : old);
    const before = flags.following?.confirmedAtMs;
    await flags.refresh();
    expect([flags.revision, flags.following?.confirmedAtMs]).toStrictEqual([8, before]);
    expect(head).not.toBe(oldHead);
  });

  test("a document that cannot be taken is told, and not read again; a kill in the same look is obeyed", async () => {
    const { store, reads } = watched(strongMemoryStore());
    const { flags: order, kill } = operators(store);
    await order({ version: 1, revision: 7, flags: { limit: on } });
    // Only here a variable says what the newer document cannot have.
    const { flags, ask } = flagsAt({ store, env: { FEATURE_BANNER: '{"a":1}' } });
    await flags.ready();
    const refused: FlagsRefusedError[] = [];
    flags.on("refused", ({ error }) => refused.push(error));
    await order(documentOf(8));
    await kill(["limit"]);
    await expect(flags.refresh()).rejects.toThrow(FlagsRefusedError);
    expect([ask("limit"), flags.revision]).toStrictEqual([false, 7]);
    expect(refused.map(({ problems }) => problems.join())).toStrictEqual([expect.stringContaining("FEATURE_BANNER")]);
    reads.length = 0;
    await expect(flags.refresh()).rejects.toThrow("the newest order was refused");
    expect([reads, refused.length]).toStrictEqual([["audit/head"], 1]);
    await order({ version: 1, revision: 9, flags: { limit: on } });
    await flags.refresh();
    expect(flags.following).toMatchObject({ versions: { flags: 3, kill: 1 }, problem: null });
  });

  test("maxAge counts from the last look that found what holds to be current", async () => {
    const { store, faults } = watched(strongMemoryStore());
    const staled = { flags: { banner: { maxAge: "5m", ...on } } };
    await operators(store).flags(documentOf(7, staled));
    vi.useFakeTimers({ now: NOW, toFake: ["Date"] });
    const { flags, clock, askAnd } = flagsAt({ store });
    const reason = () => flags.for({}).booleanDetails("banner").reason;
    const at = (ms: number) => {
      clock.nowMs = NOW + ms;
      vi.setSystemTime(clock.nowMs);
    };
    await askAnd();
    at(299_999);
    await askAnd();
    faults.answer = () => Promise.reject(new Error("it is gone"));
    at(500_000);
    expect(reason()).toBe("STATIC");
    await askAnd();
    at(600_001);
    expect(reason()).toBe("STALE");
    faults.answer = undefined;
    await flags.refresh();
    expect(reason()).toBe("STATIC");
    vi.useRealTimers();
  });

  test("without a head, orders that are there are taken from time to time", async () => {
    const real = strongMemoryStore();
    const { store, faults, reads } = watched(real);
    const { flags: order, kill } = operators(real);
    const { flags, clock, ask, askAnd } = flagsAt({ store });
    // Nobody has ordered anything: that is an answer.
    expect(await flags.ready()).toBe(true);
    await order(documentOf(7));
    faults.answer = (key) => (key === "audit/head" ? Promise.resolve(null) : undefined);
    clock.nowMs += 60_000;
    await askAnd();
    expect(ask()).toBe(true);
    await kill();
    reads.length = 0;
    for (let i = 0; i < 119; i += 1) {
      clock.nowMs += 500;
      await askAnd();
    }
    expect([ask(), reads.filter((key) => key !== "audit/head")]).toStrictEqual([true, []]);
    clock.nowMs += 500;
    await askAnd();
    expect(ask()).toBe(false);
  });

  test("what this isolate has turned off itself stays off, whatever is ordered", async () => {
    const { store } = watched(strongMemoryStore());
    const { flags: order, kill, release } = operators(store);
    await order(documentOf(7));
    const { flags, ask } = flagsAt({ store });
    await flags.refresh();
    flags.kill(["banner"]);
    await kill(["limit"]);
    await flags.refresh();
    expect([ask(), ask("limit")]).toStrictEqual([false, false]);
    await release();
    await flags.refresh();
    expect([ask(), ask("limit")]).toStrictEqual([false, true]);
    flags.kill([]);
    expect(ask()).toBe(true);
  });

  test("on Workers a request waits for the look of another on a timer of its own", async () => {
    const real = strongMemoryStore();
    const { store, reads, faults } = watched(real);
    await operators(real).flags(documentOf(7));
    const platform = { ...thisPlatform, isPolling: true };
    const flags = new Flags({ env: {}, store }, tools, platform);
    let answer = () => {};
    const gate = new Promise<void>((resolve) => (answer = resolve));
    const head = await real.read("audit/head");
    faults.answer = (key) => (key === "audit/head" ? gate.then(() => head) : undefined);
    const works: Promise<unknown>[] = [];
    flags.for({}, { waitUntil: (work) => void works.push(work) });
    expect(works.length).toBe(1);
    const both = Promise.all([flags.ready({ timeoutMs: 60_000 }), flags.ready({ timeoutMs: 60_000 })]);
    answer();
    expect(await both).toStrictEqual([true, true]);
    expect(reads).toStrictEqual(["audit/head", "orders/flags"]);
  });
});

describe("a cache of orders", () => {
  test("what operators order is read where it was put, never goes back, and is as current as the cache says", async () => {
    const strong = strongMemoryStore();
    const cache = { ...memoryStore(), name: "workers-kv" };
    const { flags: order, kill } = operators(strong, cache);
    const { store, reads, faults } = watched(cache);
    const { flags, clock, ask, askAnd } = flagsAt({ store, definitions: documentOf(1) });
    // Nothing there says nothing.
    expect(await flags.ready()).toBe(false);
    expect(flags.revision).toBe(1);
    await order(documentOf(7));
    const first = await cache.get("seawall/orders/flags");
    await order(documentOf(8));
    await kill(["limit"]);
    clock.nowMs += 30_000;
    await askAnd();
    expect([flags.revision, ask(), ask("limit")]).toStrictEqual([8, true, false]);
    expect(flags.following?.confirmedAtMs).toBe(clock.nowMs - 60_000);
    reads.length = 0;
    faults.answer = async (key) => (key.endsWith("flags") ? first : "garbage");
    await expect(flags.refresh()).rejects.toThrow("kill: an order is damaged");
    expect([flags.revision, ask("limit")]).toStrictEqual([8, false]);
    faults.answer = async () => null;
    await flags.refresh();
    expect([flags.revision, ask("limit")]).toStrictEqual([8, false]);
    expect(new Set(reads)).toStrictEqual(new Set(["seawall/orders/flags", "seawall/orders/kill"]));
  });
});

describe("a database that is asked anyway", () => {
  /** A database whose requests a test makes up: each asks what rides along, if something does, and answers as the store would. */
  function databaseOver(store: StrongStore) {
    let passenger: Passenger = () => undefined;
    const database = {
      execute: () => Promise.reject(new Error("nobody asks it")),
      batch: () => Promise.reject(new Error("nobody asks it")),
      seawall: {
        piggyback(own: Passenger) {
          passenger = own;
          return () => {
            passenger = () => undefined;
          };
        },
      },
    };
    const rowsOf = async (known: unknown, change: (rows: Row[]) => Row[]) => {
      const head = await store.read("audit/head");
      if ((head?.slice(0, 105) ?? null) === known) return [];
      const kill = await store.read("orders/kill");
      return change([
        { key: "audit/head", text: head },
        { key: "orders/kill", text: kill },
      ]);
    };
    /** Sends a request. Returns whether something rode along. */
    const send = async ({ isRefused = false, change = (rows: Row[]) => rows } = {}) => {
      const question = passenger();
      if (question === undefined) return false;
      const { args } = question.statement as unknown as { args: unknown[] };
      if (isRefused) question.failed(new Error("no such table: t"));
      else question.answered({ rows: await rowsOf(args[0], change) } as never);
      return true;
    };
    return { options: { database: database as never, store: { ...store, table: "t" } as never }, send };
  }
  type Row = { key: string; text: string | null };

  test("one request in a tenth of a second asks; one that was refused is the last for five seconds", async () => {
    const real = strongMemoryStore();
    const { store, reads } = watched(real);
    const { options, send } = databaseOver(store);
    const { flags: order, kill } = operators(real);
    const { flags, clock, works, ask } = flagsAt({ ...options, definitions: documentOf(1) });
    const sentAt = (ms: number, how = {}) => {
      clock.nowMs = NOW + ms;
      return send(how);
    };
    expect([await sentAt(0), await sentAt(99), await sentAt(100, { isRefused: true })]).toStrictEqual([
      true,
      false,
      true,
    ]);
    expect([await sentAt(200), await sentAt(5_099), await sentAt(5_100)]).toStrictEqual([false, false, true]);
    // Where there are no orders, what was bundled is all that there is.
    expect(flags.following).toMatchObject({ confirmedAtMs: NOW + 5_100, lookedAtMs: 0 });
    await order(documentOf(7));
    await kill(["banner"]);
    reads.length = 0;
    await sentAt(5_200);
    // The kill holds already; the document is looked for once.
    expect([ask(), ask("limit"), flags.revision, works.length]).toStrictEqual([false, true, 1, 1]);
    await Promise.all(works.splice(0));
    expect(flags.revision).toBe(7);
    // The rider's own, and those of the look.
    expect(reads).toStrictEqual(["audit/head", "orders/kill", "audit/head", "orders/flags"]);
    await sentAt(5_300);
    expect(flags.following).toMatchObject({ confirmedAtMs: NOW + 5_300, versions: { flags: 1, kill: 1 } });
    // Nobody looks while requests tell; ten seconds without any are too long.
    for (const [ms, looks] of [
      [15_299, 0],
      [15_300, 1],
    ] as const) {
      clock.nowMs = NOW + ms;
      ask();
      expect(works.length).toBe(looks);
    }
    flags.close();
    expect(await sentAt(60_000)).toBe(false);
  });

  test("garbage that comes along is not taken, and what cannot be taken is not looked for with each request", async () => {
    const real = strongMemoryStore();
    const { store, faults } = watched(real);
    const { options, send } = databaseOver(store);
    const { flags: order, kill } = operators(real);
    const { flags, clock, works, ask } = flagsAt({ ...options, piggybackIntervalMs: 0, definitions: documentOf(1) });
    const sent = async (change: (rows: Row[]) => Row[]) => {
      clock.nowMs += 1;
      await send({ change });
      await Promise.all(works.splice(0));
    };
    await kill(["banner"]);
    for (const text of ["", "null", "{}", "x".repeat(2_000_000)]) {
      await sent(([head, order]) => [{ key: "audit/head", text }, order as Row].slice(0, head === undefined ? 0 : 2));
      await sent(() => [{ key: "orders/kill", text }]);
      expect([ask(), flags.following?.confirmedAtMs]).toStrictEqual([true, 0]);
    }
    const refused: string[] = [];
    flags.on("refused", ({ error }) => refused.push(error.message));
    await sent(([head]) => [head as Row, { key: "orders/kill", text: "garbage" }]);
    expect([ask(), refused.length, flags.following?.versions.kill]).toStrictEqual([true, 1, 0]);
    await sent((rows) => rows);
    expect([ask(), flags.following?.versions.kill]).toStrictEqual([false, 1]);
    await order(documentOf(7));
    let looks = 0;
    faults.answer = (key) => {
      if (key !== "orders/flags") return undefined;
      looks += 1;
      return Promise.resolve("garbage");
    };
    for (let i = 0; i < 5; i += 1) await sent((rows) => rows);
    expect([looks, flags.revision]).toStrictEqual([1, 1]);
    faults.answer = undefined;
    await flags.refresh();
    expect(flags.revision).toBe(7);
  });
});

describe("the last known good", () => {
  test("a bundle holds what held, with what was killed, and nothing older is taken after it", async () => {
    const strong = strongMemoryStore();
    const cache = memoryStore();
    const { flags: order, kill } = operators(strong, cache);
    await order(documentOf(7));
    const old = await cache.get("seawall/orders/flags");
    await order(documentOf(8));
    await kill(["limit"]);
    const { flags: built } = flagsAt({ store: strong });
    await built.refresh();
    const text = JSON.stringify(built.bundle());
    const { store, faults } = watched(cache);
    faults.answer = async (key) => (key.endsWith("flags") ? old : null);
    const { flags, ask } = flagsAt({ definitions: JSON.parse(text), store });
    expect([flags.revision, ask(), ask("limit")]).toStrictEqual([8, true, false]);
    await flags.refresh();
    expect([flags.revision, ask("limit")]).toStrictEqual([8, false]);
    faults.answer = undefined;
    await order(documentOf(9));
    await flags.refresh();
    expect(flags.revision).toBe(9);
  });

  test("one that is damaged is refused, with what is wrong", () => {
    const bundle = createFlags({ env: {}, definitions: documentOf(8) }).bundle();
    expect(createFlags({ env: {}, definitions: bundle }).revision).toBe(8);
    for (const wrong of [
      { format: "seawall-flags/2" },
      { takenAtMs: "now" },
      { versions: undefined },
      { kill: "all" },
      { snapshot: `${bundle.snapshot.slice(0, -8)}AAAAAAA=` },
      { snapshot: 5 },
    ]) {
      expect(() => createFlags({ env: {}, definitions: { ...bundle, ...wrong } as never })).toThrow(FlagsRefusedError);
    }
  });
});

test("options that make no sense are refused by name", () => {
  const monitor = { orders: {}, on: () => () => {} };
  const store = strongMemoryStore();
  for (const [options, problem] of [
    [{ store: {} }, "store must be a strong store"],
    [{ store, monitor }, "give it the monitor, or a store"],
    [{ store, intervalMs: -1 }, "intervalMs is 0 to 86400000 ms"],
    [{ intervalMs: 5 }, "intervalMs needs a store"],
    [{ store, piggybackIntervalMs: 5 }, "piggybackIntervalMs needs a database"],
    [{ database: {} }, "database must be a client"],
  ] as const) {
    expect(() => createFlags({ env: {}, ...options } as never)).toThrow(problem);
  }
});

test("FLG-08: how fast a kill arrives is said for the store that is configured", () => {
  const of = (options: FlagsOptions) => createFlags({ env: {}, ...options }).propagation;
  const named = (name: string) => ({ ...strongMemoryStore(), name });
  expect(of({ store: named("durable-object") })).toMatchObject({
    store: "durable-object",
    by: "look",
    withinMs: 1_000,
  });
  expect(of({ store: named("redis"), intervalMs: 2_000 })).toMatchObject({ by: "look", withinMs: 2_500 });
  expect(of({ store: { ...memoryStore(), name: "workers-kv" } })).toMatchObject({ by: "cache", withinMs: null });
  expect(of({})).toMatchObject({ store: "bundle", by: "deployment", withinMs: null });
  const database = { execute() {}, batch() {}, seawall: { piggyback: () => () => {} } };
  expect(of({ database: database as never })).toMatchObject({ store: "libsql", by: "roundTrip", withinMs: 100 });
  expect(String(of({ store: named("durable-object") }))).toBe(
    "Flags live in durable-object, and each isolate looks there every 500 ms while it is asked for flags: a kill holds within 1 s " +
      "if a look takes no more than 500 ms. flags.kill() holds in its own isolate at once.",
  );
  expect(String(of({ store: { ...memoryStore(), name: "workers-kv" } }))).toContain(
    "KV propagates in up to 60 s or more",
  );
  expect(String(of({ database: database as never }))).toContain("next round trip");
});
