// What isolates share: when the store is asked, and that nothing it does reaches a caller. Time is hand-set.

import { describe, expect, test, vi } from "vitest";
import type { SeawallOptions, StateOptions } from "../src/config/options.ts";
import type { Driver } from "../src/driver.ts";
import { memoryStore } from "../src/store/memory.ts";
import type { Store } from "../src/store/store.ts";
import { type KvNamespace, workersKvStore } from "../src/store/workers-kv.ts";
import { failed, guardOf as guardWith, handSetClock, READ, START, settle, trap } from "./guards.ts";

const KEY = "seawall/v1/db.example";

handSetClock();

/** A store in memory that tells what was asked of it and when. */
class Recorded implements Store {
  readonly name = "recorded";
  readonly caps = { compareAndSet: false, writesPerSecond: 1 };
  readonly asked: string[] = [];
  readonly times: number[] = [];
  texts = new Map<string, string>();
  ttlSeconds = 0;

  async get(key: string): Promise<string | null> {
    this.asked.push("get");
    this.times.push(Date.now());
    return this.texts.get(key) ?? null;
  }

  async put(key: string, text: string, ttlSeconds: number): Promise<void> {
    this.asked.push("put");
    this.times.push(Date.now());
    this.texts.set(key, text);
    this.ttlSeconds = ttlSeconds;
  }

  get reads(): number {
    return this.asked.filter((what) => what === "get").length;
  }

  get writes(): number {
    return this.asked.filter((what) => what === "put").length;
  }
}

/** Everything that was handed to `waitUntil`. */
let background: Promise<unknown>[] = [];

function guardOf(state: StateOptions, options: SeawallOptions = {}, database = "db.example"): Driver {
  background = [];
  const waitUntil = (work: Promise<unknown>) => {
    background.push(work);
  };
  return guardWith({ ...options, state }, { waitUntil }, database);
}

/** Lets all background work end; fails if any of it rejects. */
async function finish(): Promise<void> {
  await vi.runAllTimersAsync();
  await Promise.all(background);
}

/** One attempt that fails; a statement of a transaction, so that it is not repeated. */
async function fail(guard: Driver): Promise<unknown> {
  const down = failed("SERVER_ERROR", 503);
  return guard.run({ ...READ, held: true }, () => Promise.reject(down)).catch((error) => error.code);
}

async function openCircuit(guard: Driver): Promise<void> {
  for (let failures = 0; failures < 3; failures += 1) expect(await fail(guard)).toBe("SERVER_ERROR");
  expect(guard.status().breaker.state).toBe("OPEN");
}

async function recover(guard: Driver): Promise<void> {
  vi.setSystemTime(guard.status().breaker.retryAtMs as number);
  for (let probes = 0; probes < 2; probes += 1) await guard.run(READ, async () => "alive");
  expect(guard.status().breaker.state).toBe("CLOSED");
}

/** What another isolate would have stored after the circuit opened. */
async function outage(): Promise<string> {
  const store = new Recorded();
  const guard = guardOf({ store, writeJitter: 0 });
  await openCircuit(guard);
  await vi.advanceTimersByTimeAsync(0);
  return store.texts.get(KEY) as string;
}

describe("an isolate that only refuses, for it is not its turn to probe", () => {
  const run = (guard: Driver) => guard.run(READ, async () => 1).catch((error) => error.code);
  const call = (guard: Driver) => guard.call(async () => 1).catch((error) => error.code);
  const tryCall = async (guard: Driver) => ((await guard.tryCall(async () => 1)) as { code?: string }).code;
  const lease = (guard: Driver) => guard.lease({ class: "transaction", kind: "write" }).catch((error) => error.code);

  test.each(Object.entries({ run, call, tryCall, lease }))("learns of the recovery: %s", async (_, ask) => {
    const store = new Recorded();
    const other = guardOf({ store, writeJitter: 0 });
    await openCircuit(other);
    await vi.advanceTimersByTimeAsync(0);
    const guard = guardOf({ store, writeJitter: 0, expectedIsolates: 10_000 });
    expect(await run(guard)).toBe("CIRCUIT_OPEN");
    await vi.advanceTimersByTimeAsync(0);
    await recover(other);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(guard.status().breaker.state).toBe("OPEN");

    expect(await ask(guard)).toBe("CIRCUIT_OPEN");
    await finish();
    expect(guard.status().breaker.state).not.toBe("OPEN");
  });
});

describe("a cold isolate", () => {
  test("refuses before any failure of its own when others found the database failing", async () => {
    const store = new Recorded();
    store.texts.set(KEY, await outage());
    const guard = guardOf({ store });
    let runs = 0;
    const refused = guard.run(READ, async () => {
      runs += 1;
    });
    await expect(refused).rejects.toMatchObject({ code: "CIRCUIT_OPEN" });
    expect([runs, store.asked]).toEqual([0, ["get"]]);
  });

  test("learns it too when its first operation is a guarded function or a transaction", async () => {
    const store = new Recorded();
    store.texts.set(KEY, await outage());
    await expect(guardOf({ store }).call(async () => 1)).rejects.toMatchObject({ code: "CIRCUIT_OPEN" });
    await expect(guardOf({ store }).tryCall(async () => 1)).rejects.toMatchObject({ code: "CIRCUIT_OPEN" });
    const leased = guardOf({ store }).lease({ class: "transaction", kind: "write" });
    await expect(leased).rejects.toMatchObject({ code: "CIRCUIT_OPEN" });
  });

  test.each([100, 30])("waits at most %i ms for a store that hangs, and only once", async (coldReadTimeout) => {
    const store = new Recorded();
    vi.spyOn(store, "get").mockImplementation(() => new Promise(() => {}));
    const guard = guardOf(coldReadTimeout === 100 ? { store } : { store, coldReadTimeout });
    const first = guard.run(READ, async () => Date.now());
    const beside = guard.run(READ, async () => Date.now());
    await vi.advanceTimersByTimeAsync(coldReadTimeout + 2);
    expect(await first).toBe(START + coldReadTimeout);
    expect(await beside).toBeLessThanOrEqual(START + coldReadTimeout + 2);
    const now = Date.now();
    expect(await guard.run(READ, async () => Date.now())).toBe(now);
    expect(store.get).toHaveBeenCalledTimes(1);
  });

  test("reads once for any number of operations that come at once", async () => {
    const store = new Recorded();
    vi.spyOn(store, "get").mockImplementation(() => new Promise((resolve) => setTimeout(() => resolve(null), 20)));
    const guard = guardOf({ store });
    const all = Promise.all(Array.from({ length: 100 }, () => guard.run(READ, async () => 1)));
    await vi.advanceTimersByTimeAsync(100);
    await all;
    expect(store.get).toHaveBeenCalledTimes(1);
  });

  test("does not wait for another's cold read beyond its limit when that one is never resumed", async () => {
    const store = new Recorded();
    vi.spyOn(store, "get").mockImplementation(() => new Promise(() => {}));
    const guard = guardOf({ store });
    guard.run(READ, async () => 1);
    await vi.advanceTimersByTimeAsync(50);
    const beside = guard.run(READ, async () => Date.now());
    await vi.advanceTimersByTimeAsync(60);
    expect(await beside).toBeLessThanOrEqual(START + 102);
  });

  test("reads nothing with a cold read timeout of 0", async () => {
    const store = new Recorded();
    const guard = guardOf({ store, coldReadTimeout: 0 });
    expect(await guard.run(READ, async () => "at once")).toBe("at once");
    expect(store.asked).toEqual([]);
  });
});

describe("a store that misbehaves", () => {
  const never = () => new Promise<never>(() => {});
  const rejects = () => Promise.reject(new Error("the store is down"));
  const throws = (): Promise<never> => {
    throw new Error("not even a promise");
  };
  const as = (value: unknown) => () => Promise.resolve(value as string);

  test.each([
    ["throws", throws],
    ["rejects", rejects],
    ["hangs", never],
    ["holds garbage", as("not a snapshot")],
    ["holds a snapshot of another kind", as("U1cJ")],
    ["holds far too much", as("A".repeat(5_000_000))],
    ["gives a number", as(7)],
    ["gives an object", as({ text: "x" })],
    ["gives undefined", as(undefined)],
    ["gives bytes", as(new Uint8Array(9))],
  ])("changes nothing but the hint when it %s", async (_, get) => {
    const store: Store = {
      name: "bad",
      caps: { compareAndSet: false, writesPerSecond: undefined },
      get,
      put: get as never,
    };
    const guard = guardOf({ store });
    const first = guard.run(READ, async () => "first");
    await vi.advanceTimersByTimeAsync(100);
    expect(await first).toBe("first");
    await openCircuit(guard);
    await vi.advanceTimersByTimeAsync(10_000);
    await expect(guard.run(READ, async () => 1)).rejects.toMatchObject({ code: "CIRCUIT_OPEN" });
    await recover(guard);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await guard.run(READ, async () => "last")).toBe("last");
    expect(background.length).toBeGreaterThan(0);
    await finish();
  });

  test("is counted in the status document", async () => {
    const store: Store = {
      name: "bad",
      caps: { compareAndSet: false, writesPerSecond: undefined },
      get: rejects,
      put: rejects,
    };
    const guard = guardOf({ store });
    await guard.run(READ, async () => "first");
    expect(guard.status().totals).toMatchObject({ storeFailures: 1, hintsRefused: 0 });
    const full = guardOf({ store: { ...store, get: as("garbage") } });
    await full.run(READ, async () => "first");
    expect(full.status().totals).toMatchObject({ storeFailures: 0, hintsRefused: 1 });
  });

  test("that refuses a write is asked again, not forgotten", async () => {
    const store = new Recorded();
    const put = vi.spyOn(store, "put").mockRejectedValueOnce(new Error("429"));
    const guard = guardOf({ store, writeJitter: 0 });
    await openCircuit(guard);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(store.writes).toBe(0);
    await fail(guard);
    guard.resetBreaker();
    // After a refusal others are given ten seconds to tell.
    await vi.advanceTimersByTimeAsync(11_000);
    await guard.run(READ, async () => 1);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(put.mock.calls.length).toBeGreaterThan(1);
    expect(store.texts.has(KEY)).toBe(true);
  });
});

describe("the schedule", () => {
  test("a healthy isolate makes no read and no write after the cold read", async () => {
    const store = new Recorded();
    const guard = guardOf({ store });
    for (let calls = 0; calls < 1_000; calls += 1) {
      await guard.run(READ, async () => 1);
      await guard.call(async () => 1);
      vi.setSystemTime(Date.now() + 600);
    }
    const constraint = failed("SQLITE_CONSTRAINT", 200);
    await guard.run(READ, () => Promise.reject(constraint)).catch(() => {});
    await vi.advanceTimersByTimeAsync(60_000);
    expect(store.asked).toEqual(["get"]);
    expect(background).toEqual([]);
  });

  test("an outage costs one isolate one write when it begins and one when it ends", async () => {
    const store = new Recorded();
    const guard = guardOf({ store });
    await guard.run(READ, async () => 1);
    await openCircuit(guard);
    for (let refused = 0; refused < 200; refused += 1) {
      await expect(guard.call(async () => 1)).rejects.toMatchObject({ code: "CIRCUIT_OPEN" });
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(store.writes).toBe(1);
    expect(store.ttlSeconds).toBe(3_600);
    await recover(guard);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(store.writes).toBe(2);
  });

  test("however long it lasts and however often a probe fails, there is no write for each", async () => {
    const store = new Recorded();
    const guard = guardOf({ store });
    await guard.run(READ, async () => 1);
    const end = Date.now() + 600_000;
    while (Date.now() < end) {
      await fail(guard);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    // Twenty probings failed. The first of them is told, then one in two and a half minutes.
    expect(store.writes).toBeLessThanOrEqual(6);
  });

  test("a storm of failures reads at most once per interval", async () => {
    const store = new Recorded();
    const guard = guardOf({ store, writeInterval: 86_400_000 }, { circuitBreaker: { failureThreshold: 1_000_000 } });
    for (let failures = 0; failures < 1_000; failures += 1) {
      await fail(guard);
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(store.asked.every((what) => what === "get")).toBe(true);
    expect(store.reads).toBeGreaterThanOrEqual(150);
    expect(store.reads).toBeLessThanOrEqual(200);
    const distances = store.times.slice(1).map((time, index) => time - (store.times[index] as number));
    expect(Math.min(...distances)).toBeGreaterThanOrEqual(500);
  });

  test("it reads before it writes, after a delay of at most seven and a half seconds", async () => {
    const store = new Recorded();
    const guard = guardOf({ store, coldReadTimeout: 0 });
    await openCircuit(guard);
    const reads = store.reads;
    await vi.advanceTimersByTimeAsync(7_500);
    expect(store.asked.slice(reads)).toEqual(["get", "put"]);
    expect(store.times.at(-1)).toBeLessThanOrEqual(START + 7_500);
  });

  test("what another isolate stored meanwhile is not written again", async () => {
    const store = new Recorded();
    const [first, second] = [guardOf({ store, writeJitter: 0 }), guardOf({ store, writeJitter: 1_000 })];
    await openCircuit(first);
    await openCircuit(second);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(store.writes).toBe(1);
  });

  test("what another isolate stored meanwhile is not lost by writing", async () => {
    const store = new Recorded();
    const ours = guardOf({ store, writeJitter: 0, coldReadTimeout: 0 });
    const theirs = guardOf({ store, writeJitter: 0, prefix: "" }, {}, KEY);
    await openCircuit(theirs);
    await vi.advanceTimersByTimeAsync(0);
    await openCircuit(ours);
    await vi.advanceTimersByTimeAsync(0);
    expect(store.writes).toBe(2);
    const next = guardOf({ store, prefix: "" }, {}, KEY);
    await expect(next.run(READ, async () => 1)).rejects.toMatchObject({ code: "CIRCUIT_OPEN" });
  });

  test("reads and writes are handed to waitUntil, and none of them rejects", async () => {
    const store = new Recorded();
    const guard = guardOf({ store, writeJitter: 0 });
    await guard.run(READ, async () => 1);
    expect(background).toHaveLength(0);
    await openCircuit(guard);
    expect(background).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(store.asked).toEqual(["get", "get", "put"]);
    await finish();
    await vi.advanceTimersByTimeAsync(29_500);
    vi.spyOn(store, "get").mockRejectedValue(new Error("down"));
    await vi.advanceTimersByTimeAsync(10_000);
    await fail(guard);
    // The probe that failed is told again, and what others know is asked.
    expect(background).toHaveLength(3);
    await finish();
  });

  test("no operation waits for a background read or write", async () => {
    const store = new Recorded();
    const guard = guardOf({ store, writeJitter: 0 });
    await guard.run(READ, async () => 1);
    vi.spyOn(store, "get").mockImplementation(() => new Promise(() => {}));
    const before = Date.now();
    await openCircuit(guard);
    await expect(guard.call(async () => 1)).rejects.toMatchObject({ code: "CIRCUIT_OPEN" });
    expect(Date.now()).toBe(before);
    await vi.advanceTimersByTimeAsync(20_000);
    await finish();
  });
});

describe("the recovery", () => {
  test("reaches isolates that refuse, at their next read", async () => {
    const store = new Recorded();
    const first = guardOf({ store, writeJitter: 0 });
    await openCircuit(first);
    await vi.advanceTimersByTimeAsync(1);
    const second = guardOf({ store });
    await expect(second.call(async () => 1)).rejects.toMatchObject({ code: "CIRCUIT_OPEN" });
    await recover(first);
    await vi.advanceTimersByTimeAsync(1);
    expect(store.writes).toBe(2);
    expect(second.status().breaker.state).not.toBe("CLOSED");
    await second.call(async () => 1).catch(() => {});
    await settle();
    expect(second.status().breaker.state).toBe("CLOSED");
  });
});

describe("a core that traps", () => {
  test.each(["claimColdRead", "import", "stored"] as const)("in %s during the cold read fails open", async (method) => {
    const store = new Recorded();
    store.texts.set(KEY, await outage());
    if (method === "stored") vi.spyOn(store, "get").mockRejectedValueOnce(new Error("down"));
    const guard = guardOf({ store });
    trap(method);
    await guard.run(READ, async () => "first").catch((error) => expect(error.code).toBe("CIRCUIT_OPEN"));
    await guard.run(READ, async () => "later").catch((error) => expect(error.code).toBe("CIRCUIT_OPEN"));
    expect(guard.status().pool.borrowed).toBe(0);
  });

  test.each(["claimWrite", "claimRead", "isStored", "export", "import"] as const)(
    "in %s in the background fails open",
    async (method) => {
      const store = new Recorded();
      const guard = guardOf({ store, writeJitter: 0 });
      await guard.run(READ, async () => "first");
      if (method === "import") store.texts.set(KEY, "garbage");
      trap(method);
      for (let failures = 0; failures < 3; failures += 1) expect(await fail(guard)).toBe("SERVER_ERROR");
      await vi.advanceTimersByTimeAsync(40_000);
      expect(await guard.run({ ...READ, useCircuitBreaker: false }, async () => "later")).toBe("later");
      await finish();
    },
  );
});

describe("stores", () => {
  test("Workers KV is read from the edge's copy and written with an expiry, both within its bounds", async () => {
    const calls: unknown[][] = [];
    const namespace: KvNamespace = {
      get: async (...args) => {
        calls.push(args);
        return "text";
      },
      put: async (...args) => {
        calls.push(args);
      },
    };
    const store = workersKvStore(namespace, { cacheTtl: 5 });
    expect(await store.get("key")).toBe("text");
    await store.put("key", "text", 1);
    await workersKvStore(namespace, { cacheTtl: 90 }).get("key");
    expect(calls).toEqual([
      ["key", { type: "text", cacheTtl: 30 }],
      ["key", "text", { expirationTtl: 60 }],
      ["key", { type: "text", cacheTtl: 90 }],
    ]);
    expect(store.caps.writesPerSecond).toBe(1);
  });

  test("the store in memory forgets after the time that it was given", async () => {
    const store = memoryStore();
    expect(await store.get("key")).toBeNull();
    await store.put("key", "text", 60);
    vi.setSystemTime(Date.now() + 59_999);
    expect(await store.get("key")).toBe("text");
    vi.setSystemTime(Date.now() + 1);
    expect(await store.get("key")).toBeNull();
  });
});
