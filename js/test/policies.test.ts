// What one operation may have of its own: retries, limits, names, a second leg.

import { describe, expect, test, vi } from "vitest";
import { createClient } from "../src/client.ts";
import { controlsOf } from "../src/controls.ts";
import { DatabaseTimeoutError, ResilienceError } from "../src/errors.ts";
import { withOptions } from "../src/operation.ts";
import { DatabaseTimeoutHandler, DEFAULT_TIMEOUTS, TimeoutUtils, tierTimeouts } from "../src/timeouts.ts";
import { guardOf, handSetClock, hanging, READ, rejection, START, settle, trap, unavailable, WRITE } from "./guards.ts";

handSetClock();

const FIRM = { circuitBreaker: { failureThreshold: 1_000 }, retry: { jitter: 0, budgetInitial: 100, budgetMax: 100 } };

/** The delays between the attempts of an operation that fails, and its error. */
async function delaysOf(guard: ReturnType<typeof guardOf>, own: object, operation = READ) {
  const at: number[] = [];
  const ended = rejection(
    guard.run(withOptions(operation, own), () => {
      at.push(Date.now());
      return unavailable();
    }),
  );
  await vi.advanceTimersByTimeAsync(60_000);
  const delays = at.slice(1).map((time, index) => time - (at[index] as number));
  return { attempts: at.length, delays, error: await ended };
}

describe("retries of one operation", () => {
  test("RT-06: its own policy wins, and what it does not say is the client's", async () => {
    const guard = guardOf(FIRM);
    const own = { retry: { attempts: 4, initialDelay: 100, backoffMultiplier: 3, maxDelay: 500 } };
    expect(await delaysOf(guard, own)).toMatchObject({ attempts: 4, delays: [100, 300, 500] });
    expect(await delaysOf(guard, { retry: { attempts: 3 } })).toMatchObject({ delays: [500, 1_000] });
    expect(await delaysOf(guard, { retry: 2 })).toMatchObject({ attempts: 2, error: { attempts: 2 } });
    expect(await delaysOf(guard, { retry: false })).toMatchObject({ attempts: 1, error: { code: "SERVER_ERROR" } });
    expect(await delaysOf(guard, {})).toMatchObject({ attempts: 5, delays: [500, 1_000, 2_000, 4_000] });
  });

  test("RT-06: a policy repeats no write that nobody vouches for", async () => {
    const guard = guardOf(FIRM);
    const own = { retry: { attempts: 3, initialDelay: 10 } };
    expect(await delaysOf(guard, own, WRITE)).toMatchObject({ attempts: 1, error: { outcome: "unknown" } });
    expect(await delaysOf(guard, { ...own, idempotent: true }, WRITE)).toMatchObject({ attempts: 3 });
  });

  test("RT-06: policies survive a trap of the core", async () => {
    const guard = guardOf(FIRM);
    await delaysOf(guard, { retry: 3 });
    await delaysOf(guard, { retry: { attempts: 2, initialDelay: 7 } });
    trap("begin");
    await guard.run(READ, async () => "value");
    expect(await delaysOf(guard, { retry: { attempts: 2, initialDelay: 7 } })).toMatchObject({ delays: [7] });
    expect(guard.status().coreRecoveries).toBe(1);
  });

  test("RT-06: one that cannot be used is refused by name, and sixteen are too many", async () => {
    const guard = guardOf(FIRM);
    const wrong = rejection(guard.run(withOptions(READ, { retry: { attempts: 0 } }), unavailable));
    expect(String(await wrong)).toContain("retry.attempts must be a whole number from 1 to 100");
    for (let attempts = 1; attempts <= 15; attempts += 1) {
      await guard.run(withOptions(READ, { retry: attempts }), async () => "value");
    }
    expect(await rejection(guard.run(withOptions(READ, { retry: 16 }), unavailable))).toBeInstanceOf(RangeError);
    expect(guard.status().coreRecoveries).toBe(0);
  });

  test("RT-12, RT-15: the limit holds through waits and retries, and the error says so", async () => {
    const guard = guardOf(FIRM);
    const { made, attempt } = hanging();
    const late = rejection(guard.run(withOptions(READ, { timeout: 1_000, retry: { initialDelay: 400 } }), attempt));
    await vi.advanceTimersByTimeAsync(300);
    made[0]?.reject(new Error("lost"));
    await vi.advanceTimersByTimeAsync(400);
    expect(made[1]?.cx.timeoutMs).toBe(300);
    await vi.advanceTimersByTimeAsync(299);
    expect(made[1]?.cx.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(made[1]?.cx.signal.aborted).toBe(true);
    expect(await late).toMatchObject({ code: "DEADLINE_EXCEEDED", timeout: 1_000 });
    expect(Date.now()).toBe(START + 1_000);
  });
});

describe("names", () => {
  test("RT-16: operations are counted by their names, in errors too", async () => {
    const guard = guardOf({ ...FIRM, retry: { attempts: 1 } });
    const named = { operationName: "user-analytics", tableName: "users" };
    for (let calls = 0; calls < 3; calls += 1) {
      await guard.run(withOptions(READ, named), async () => {
        await vi.advanceTimersByTimeAsync(5);
        return "value";
      });
    }
    await rejection(guard.run(withOptions(READ, named), unavailable));
    await guard.run(withOptions(READ, { tableName: "orders" }), async () => "value");
    await guard.run(READ, async () => "value");
    expect(controlsOf(() => guard).operations()).toEqual([
      { operation: "user-analytics", table: "users", calls: 4, failures: 1, durationMs: 15 },
      { operation: "query", table: "orders", calls: 1, failures: 0, durationMs: 0 },
    ]);
    const late = rejection(guard.run(withOptions(READ, { ...named, timeout: 5 }), () => new Promise(() => {})));
    await vi.advanceTimersByTimeAsync(5);
    expect(await late).toMatchObject({ operationName: "user-analytics" });
  });

  test("RT-16: after a hundred names the rest count as other, and no name is longer than a hundred", async () => {
    const guard = guardOf();
    for (let calls = 0; calls < 150; calls += 1) {
      const operationName = `${calls}`.padEnd(300, "x");
      await guard.run(withOptions(READ, { operationName }), async () => "value");
    }
    await guard.run(withOptions(READ, { operationName: "other", tableName: "mine" }), async () => "value");
    const operations = guard.operations();
    expect(operations.length).toBe(101);
    expect(operations.at(-1)).toMatchObject({ operation: "other", table: "", calls: 51 });
    expect(Math.max(...operations.map(({ operation }) => operation.length))).toBe(100);
  });
});

describe("limits", () => {
  test("RT-13: helpers return the options of an operation", () => {
    expect(TimeoutUtils.complexQuery("user-analytics", "users")).toEqual({
      timeout: 30_000,
      operationName: "user-analytics",
      tableName: "users",
    });
    expect(TimeoutUtils.simpleQuery("by-id")).toEqual({ timeout: 5_000, operationName: "by-id" });
  });

  test("RT-14: the limit of a batch grows with its rows, never falls, and has an end", () => {
    const limits = [0, 1, 10, 100, 1_000, 5_800, 1_000_000].map(
      (rows) => TimeoutUtils.batchOperation("batchInsert", rows, "orders").timeout,
    );
    expect(limits).toEqual([10_000, 10_050, 10_500, 15_000, 60_000, 300_000, 300_000]);
    const scaled = TimeoutUtils.batchOperation("batchInsert", 100, "orders", { baseMs: 1, perRowMs: 0.5, maxMs: 40 });
    expect(scaled).toEqual({ timeout: 40, operationName: "batchInsert", tableName: "orders" });
    for (const rows of [-1, 1.5, Number.NaN]) expect(() => TimeoutUtils.batchOperation("b", rows)).toThrow(RangeError);
  });

  test.each([
    ["query", 15_000],
    ["transaction", 30_000],
    ["batchInsert", 60_000],
    ["healthCheck", 3_000],
  ] as const)("RT-07 to RT-11: the handler gives %s %i ms, and aborts what outlives it", async (kind, limitMs) => {
    const handler = new DatabaseTimeoutHandler();
    let signal: AbortSignal | undefined;
    const late = rejection(
      handler[kind]((cx) => {
        signal = cx.signal;
        return new Promise(() => {});
      }),
    );
    await vi.advanceTimersByTimeAsync(limitMs - 1);
    expect(signal?.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(signal?.aborted).toBe(true);
    expect(await late).toBeInstanceOf(DatabaseTimeoutError);
    expect(await late).toMatchObject({ timeout: limitMs, operationName: kind });
    expect(handler.limits[kind]).toBe(DEFAULT_TIMEOUTS[kind]);
  });

  test("RT-07, RT-12: custom limits, one call's own, and errors that pass through", async () => {
    const handler = new DatabaseTimeoutHandler({ query: 100 });
    const late = rejection(handler.query(() => new Promise(() => {})));
    const sooner = rejection(
      handler.execute("transaction", () => new Promise(() => {}), { timeout: 10, operationName: "pay" }),
    );
    await vi.advanceTimersByTimeAsync(100);
    expect([await late, await sooner]).toMatchObject([{ timeout: 100 }, { timeout: 10, operationName: "pay" }]);
    const own = new Error("as it was");
    for (let failures = 0; failures < 20; failures += 1) {
      expect(await rejection(handler.query(() => Promise.reject(own)))).toBe(own);
    }
    expect(await handler.healthCheck(async () => "value")).toBe("value");
    expect(await rejection(handler.execute("nap" as "query", async () => 1))).toBeInstanceOf(RangeError);
    expect(() => new DatabaseTimeoutHandler({ query: -1 })).toThrow("timeouts.query");
  });

  test("RT-17: each tier has its limit", async () => {
    const queries = (["FREE", "STARTER", "PRO", "ENTERPRISE"] as const).map((tier) => tierTimeouts(tier));
    expect(queries.map(({ query }) => query)).toEqual([10_000, 30_000, 60_000, 120_000]);
    expect(queries.map(({ transaction }) => transaction)).toEqual([30_000, 30_000, 60_000, 120_000]);
    expect(() => tierTimeouts("GOLD" as "FREE")).toThrow(RangeError);
    const guard = guardOf({ timeouts: tierTimeouts("FREE") });
    const late = rejection(guard.run(READ, () => new Promise(() => {})));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await late).toMatchObject({ code: "DEADLINE_EXCEEDED", timeout: 10_000 });
  });

  test("RT-18: the busy timeout of a local file is accepted, and said to do nothing over the network", () => {
    const db = createClient({ url: "https://example.com", timeout: 30_000, seawall: { busyTimeout: 30_000 } });
    expect(db.seawall.status().ignored.map(({ name }) => name)).toEqual(["timeout", "seawall.sqlite.busyTimeout"]);
    const plain = createClient({ url: "https://example.com" });
    expect(plain.seawall.status().ignored).toEqual([]);
    db.close();
    plain.close();
  });
});

describe("a second leg", () => {
  const HEDGED = { hedge: { delay: 50 }, connectionPool: { maxConnections: 3 } };

  test("is aborted when the first one answers, and counts for nothing", async () => {
    const guard = guardOf(HEDGED);
    const { made, attempt } = hanging();
    const answer = guard.run(READ, attempt);
    await vi.advanceTimersByTimeAsync(50);
    expect(guard.status().pool.borrowed).toBe(2);
    made[0]?.resolve("first");
    expect(await answer).toBe("first");
    expect([made[0]?.cx.signal.aborted, made[1]?.cx.signal.aborted]).toEqual([false, true]);
    expect(guard.status()).toMatchObject({
      pool: { borrowed: 0 },
      breaker: { failures: 0, successes: 1 },
      totals: { successful: 1, failed: 0, hedged: 1, hedgesWon: 0 },
    });
    made[1]?.reject(new Error("aborted"));
    await settle();
    expect(guard.status().totals.failed).toBe(0);
  });

  test("answers before the first, which is aborted", async () => {
    const guard = guardOf(HEDGED);
    const { made, attempt } = hanging();
    const answer = guard.run(READ, attempt);
    await vi.advanceTimersByTimeAsync(50);
    made[1]?.resolve("second");
    expect(await answer).toBe("second");
    expect([made[0]?.cx.signal.aborted, made[1]?.cx.signal.aborted]).toEqual([true, false]);
    expect(guard.status()).toMatchObject({ pool: { borrowed: 0 }, totals: { hedged: 1, hedgesWon: 1 } });
  });

  test("is not started for an operation that does not want it, nor by default", async () => {
    for (const [options, own] of [
      [HEDGED, { hedge: false }],
      [{}, {}],
    ] as const) {
      const guard = guardOf(options);
      const { made, attempt } = hanging();
      const answer = guard.run(withOptions(READ, own), attempt);
      await vi.advanceTimersByTimeAsync(5_000);
      expect(made.length).toBe(1);
      made[0]?.resolve("value");
      await answer;
    }
  });

  test("ends with its caller", async () => {
    const guard = guardOf(HEDGED);
    const { made, attempt } = hanging();
    const controller = new AbortController();
    const ended = rejection(guard.run(withOptions(READ, { signal: controller.signal }), attempt));
    await vi.advanceTimersByTimeAsync(50);
    controller.abort();
    expect(await ended).toBeInstanceOf(ResilienceError);
    expect(made.map(({ cx }) => cx.signal.aborted)).toEqual([true, true]);
    expect(guard.status()).toMatchObject({ pool: { borrowed: 0 }, breaker: { failures: 0 } });
  });

  test("goes on alone when the core traps", async () => {
    const guard = guardOf(HEDGED);
    const { made, attempt } = hanging();
    const answer = guard.run(READ, attempt);
    await vi.advanceTimersByTimeAsync(50);
    trap("endLeg");
    made[1]?.resolve("second");
    expect(await answer).toBe("second");
    expect(made[0]?.cx.signal.aborted).toBe(true);
  });
});
