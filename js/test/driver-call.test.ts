// The shortest way through: `call` around a function.

import { describe, expect, test, vi } from "vitest";
import { guardOf, handSetClock, ONE_LEASE } from "./guards.ts";

handSetClock();

const LEASES = { connectionPool: { maxConnections: 1, leaseTtl: 300, acquireTimeout: 5_000 } };
const SLOW_IS_FINE = { circuitBreaker: { timeoutThreshold: 0 } };

/** Ends after `ms` of the hand-set clock. */
function after(ms: number): () => Promise<string> {
  return () => new Promise((resolve) => setTimeout(resolve, ms, "done"));
}

describe.each([
  ["told waiters", false],
  ["polling waiters", true],
])("%s", (_, isPolling) => {
  test.each([
    ["a deadline", { query: 10_000 }],
    ["no deadline", { query: 0 }],
  ])("POOL-05: a call with %s keeps its lease for as long as it runs", async (_, timeouts) => {
    const guard = guardOf({ ...LEASES, ...SLOW_IS_FINE, timeouts }, { isPolling });
    await guard.call(async () => "before");
    let second = "waits";
    const first = guard.call(after(2_000));
    const other = guard.call(async () => {
      second = "runs";
    });
    await vi.advanceTimersByTimeAsync(1_900);
    expect(second).toBe("waits");
    expect(guard.status().pool).toMatchObject({ borrowed: 1, leaked: 0 });
    await vi.advanceTimersByTimeAsync(200);
    expect([await first, await other, second]).toEqual(["done", undefined, "runs"]);
  });

  test("a call that outlives its deadline is given up, and its late answer changes nothing", async () => {
    const guard = guardOf({ ...ONE_LEASE, timeouts: { query: 500 } }, { isPolling });
    await guard.call(async () => "before");
    const late = guard.call(after(900)).catch((error) => error);
    await vi.advanceTimersByTimeAsync(500);
    expect(await late).toMatchObject({ code: "DEADLINE_EXCEEDED", timeout: 500, outcome: "unknown" });
    await vi.advanceTimersByTimeAsync(500);
    expect(guard.status().totals).toMatchObject({ successful: 1, failed: 1 });
    expect(await guard.call(async () => "after")).toBe("after");
  });
});

test("renewing ends when nothing runs, so that a process can end", async () => {
  const guard = guardOf({ ...LEASES, timeouts: { query: 0 } });
  await guard.call(async () => "before");
  await guard.call(async () => "now");
  await vi.advanceTimersByTimeAsync(1_000);
  expect(vi.getTimerCount()).toBe(0);
});
