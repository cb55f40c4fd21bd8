// The store near by, and where an isolate says that it is. Time is hand-set.

import { describe, expect, test, vi } from "vitest";
import type { StateOptions } from "../src/config/options.ts";
import type { Driver } from "../src/driver.ts";
import type { Platform } from "../src/platform/platform.ts";
import { memoryStore } from "../src/store/memory.ts";
import type { Store } from "../src/store/store.ts";
import {
  guardOf as guardWith,
  handSetClock,
  openCircuit,
  READ,
  rejection,
  settle,
  trap,
  unavailable,
} from "./guards.ts";

handSetClock();

const KEY = "seawall/v1/db.example";

/** A store in memory that tells what was asked of it. */
function watched(store: Store = memoryStore()): Store & { asked: string[]; texts: string[] } {
  const asked: string[] = [];
  const texts: string[] = [];
  return {
    ...store,
    asked,
    texts,
    get(key) {
      asked.push(`get ${key}`);
      return store.get(key);
    },
    put(key, text, ttlSeconds) {
      asked.push(`put ${key}`);
      texts.push(text);
      return store.put(key, text, ttlSeconds);
    },
  };
}

function guardOf(state: StateOptions, overrides: Partial<Platform> = {}): Driver {
  return guardWith({ state }, overrides, "db.example");
}

/** One attempt that fails, if it is let through. */
function fail(guard: Driver): Promise<unknown> {
  return rejection(guard.run({ ...READ, held: true }, unavailable));
}

describe("a store near by", () => {
  test("is told of an outage at once, while the far one has to wait", async () => {
    const [store, near] = [watched(), watched()];
    await openCircuit(guardOf({ store, near, coldReadTimeout: 0 }));
    await settle();
    expect(near.asked.filter((what) => what.startsWith("put"))).toEqual([`put ${KEY}`]);
    expect(store.asked.filter((what) => what.startsWith("put"))).toEqual([]);
    await vi.advanceTimersByTimeAsync(7_500);
    expect(store.texts).toHaveLength(1);
  });

  test("tells isolates beside before the far one can: at their first failure", async () => {
    const near = watched();
    const beside = guardOf({ store: memoryStore(), near });
    expect(await beside.run(READ, async () => "alive")).toBe("alive");
    await openCircuit(guardOf({ store: memoryStore(), near }));
    await settle();
    await fail(beside);
    await settle();
    expect(beside.status().breaker.state).toBe("OPEN");
    expect(beside.status().totals.hintsMerged).toBeGreaterThan(0);
  });

  test("is read by a cold isolate beside the far one", async () => {
    const near = watched();
    await openCircuit(guardOf({ store: memoryStore(), near, coldReadTimeout: 0 }));
    await settle();
    const store = watched();
    const cold = guardOf({ store, near });
    await expect(cold.run(READ, async () => 1)).rejects.toMatchObject({ code: "CIRCUIT_OPEN" });
    expect(store.asked).toEqual([`get ${KEY}`]);
  });

  test("is read once a second while there is trouble, and not at all without", async () => {
    const [store, near] = [watched(), watched()];
    const guard = guardOf({ store, near });
    for (let calls = 0; calls < 100; calls += 1) {
      await guard.run(READ, async () => 1);
      await vi.advanceTimersByTimeAsync(500);
    }
    expect(near.asked).toEqual([`get ${KEY}`]);
    near.asked.length = 0;
    await openCircuit(guard);
    for (let refused = 0; refused < 50; refused += 1) {
      await rejection(guard.call(async () => 1));
      await vi.advanceTimersByTimeAsync(100);
    }
    const reads = near.asked.filter((what) => what.startsWith("get")).length;
    // One to write, one at the first failure, and five in five seconds.
    expect(reads).toBeGreaterThanOrEqual(5);
    expect(reads).toBeLessThanOrEqual(7);
  });

  test("gets what the far one was told", async () => {
    const [store, near] = [watched(), watched()];
    await openCircuit(guardOf({ store, near }));
    await settle();
    expect(near.texts).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(7_500);
    expect(near.texts).toHaveLength(2);
    expect(near.texts[1]).toBe(store.texts[0]);
  });

  test("tells of a recovery to isolates that only refuse", async () => {
    const near = watched();
    const first = guardOf({ store: memoryStore(), near, coldReadTimeout: 0 });
    await openCircuit(first);
    await settle();
    const second = guardOf({ store: memoryStore(), near, rampTime: 0 });
    await expect(second.run(READ, async () => 1)).rejects.toMatchObject({ code: "CIRCUIT_OPEN" });
    first.resetBreaker();
    await settle();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(second.tryCall(async () => 1)).toMatchObject({ refused: true });
    await settle();
    expect(second.status().breaker.state).toBe("CLOSED");
  });

  test("is not asked when there is none", async () => {
    const store = watched();
    const guard = guardOf({ store, coldReadTimeout: 0, writeJitter: 0 });
    await openCircuit(guard);
    await vi.advanceTimersByTimeAsync(7_500);
    expect(store.asked).toEqual([`get ${KEY}`, `get ${KEY}`, `put ${KEY}`]);
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("no cache here");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no cache here"))],
    ["hangs", () => new Promise<never>(() => {})],
    ["holds garbage", () => Promise.resolve("not a snapshot" as never)],
    ["gives a number", () => Promise.resolve(7 as never)],
  ] as [string, () => Promise<never>][])(
    "that %s changes nothing for the far one or for an operation",
    async (_, work) => {
      const store = watched();
      const near: Store = {
        name: "bad",
        caps: { compareAndSet: false, writesPerSecond: undefined },
        get: work,
        put: work,
      };
      const background: Promise<unknown>[] = [];
      const guard = guardOf({ store, near, writeJitter: 0 }, { waitUntil: (work) => background.push(work) });
      const first = guard.run(READ, async () => "first");
      await vi.advanceTimersByTimeAsync(100);
      expect(await first).toBe("first");
      const before = Date.now();
      await openCircuit(guard);
      expect(Date.now()).toBe(before);
      await vi.advanceTimersByTimeAsync(10_000);
      expect(store.texts).toHaveLength(1);
      expect(background.length).toBeGreaterThanOrEqual(2);
      await vi.runAllTimersAsync();
      await Promise.all(background);
    },
  );

  test.each(["claimNearRead", "claimNearWrite", "importNear"] as const)(
    "fails open when the core traps in %s",
    async (method) => {
      const near = watched();
      const guard = guardOf({ store: watched(), near, writeJitter: 0 });
      await guard.run(READ, async () => 1);
      if (method === "importNear") await near.put(KEY, "garbage", 60);
      trap(method);
      for (let failures = 0; failures < 3; failures += 1) await fail(guard);
      await vi.advanceTimersByTimeAsync(30_000);
      expect(await guard.run({ ...READ, useCircuitBreaker: false }, async () => "later")).toBe("later");
    },
  );
});

describe("where an isolate is", () => {
  async function keysOf(state: Omit<StateOptions, "store">, overrides: Partial<Platform> = {}): Promise<Set<string>> {
    const store = watched();
    const guard = guardOf({ ...state, store, writeJitter: 0 }, overrides);
    await openCircuit(guard);
    await vi.advanceTimersByTimeAsync(7_500);
    expect(store.texts).toHaveLength(1);
    return new Set(store.asked.map((what) => what.slice(4)));
  }

  test("stands at the end of the key, as it was given", async () => {
    expect(await keysOf({ colo: "FRA" })).toEqual(new Set([`${KEY}/FRA`]));
    expect(await keysOf({ colo: "eu-central_1", prefix: "app/" })).toEqual(new Set(["app/db.example/eu-central_1"]));
  });

  test("is what the platform tells when nothing was given, unless that is no name or it is turned off", async () => {
    expect(await keysOf({}, { colo: () => "iad1" })).toEqual(new Set([`${KEY}/iad1`]));
    expect(await keysOf({ colo: "AMS" }, { colo: () => "iad1" })).toEqual(new Set([`${KEY}/AMS`]));
    expect(await keysOf({ colo: "" }, { colo: () => "iad1" })).toEqual(new Set([KEY]));
    expect(await keysOf({}, { colo: () => "../elsewhere" })).toEqual(new Set([KEY]));
    expect(await keysOf({})).toEqual(new Set([KEY]));
  });

  test("may be learnt from the first request: a function is asked each time", async () => {
    const store = watched();
    let colo: string | undefined;
    const guard = guardOf({ store, colo: () => colo, writeJitter: 0 });
    await guard.run(READ, async () => 1);
    colo = "FRA";
    await openCircuit(guard);
    await vi.advanceTimersByTimeAsync(7_500);
    expect(store.asked[0]).toBe(`get ${KEY}`);
    expect(store.asked.at(-1)).toBe(`put ${KEY}/FRA`);
  });

  test.each([undefined, "", "a/b", "é", "x".repeat(33), 7, null])(
    "a function that gives %s is not believed",
    async (colo) => {
      expect(await keysOf({ colo: () => colo as string })).toEqual(new Set([KEY]));
    },
  );

  test("a function that throws is not believed either", async () => {
    const colo = () => {
      throw new Error("outside of a request");
    };
    expect(await keysOf({ colo })).toEqual(new Set([KEY]));
  });

  test.each(["a/b", "Frankfurt am Main", "é", "x".repeat(33), 7, null])("the name %s is refused", (colo) => {
    expect(() => guardOf({ store: memoryStore(), colo: colo as string })).toThrow(
      /^seawall\.state\.colo must be 1 to 32/,
    );
  });

  test("isolates elsewhere are not kept from the database", async () => {
    const store = memoryStore();
    await openCircuit(guardOf({ store, colo: "FRA", writeJitter: 0 }));
    await vi.advanceTimersByTimeAsync(7_500);
    await expect(guardOf({ store, colo: "FRA" }).run(READ, async () => 1)).rejects.toMatchObject({
      code: "CIRCUIT_OPEN",
    });
    expect(await guardOf({ store, colo: "SYD" }).run(READ, async () => "elsewhere")).toBe("elsewhere");
  });
});

describe("a store that is none", () => {
  test.each([undefined, null, {}, { get() {} }, "redis://host"])(
    "is refused by an error that names it: %o",
    (wrong) => {
      expect(() => guardOf({ store: wrong as never })).toThrow(/^seawall\.state\.store needs a store/);
      if (wrong === undefined) return;
      expect(() => guardOf({ store: memoryStore(), near: wrong as never })).toThrow(
        /^seawall\.state\.near needs a store/,
      );
    },
  );
});
