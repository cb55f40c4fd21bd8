// Who waits for a lease, who is refused at once, and who resumes whom.

import { describe, expect, test, vi } from "vitest";
import type { Driver, Refusal } from "../src/driver.ts";
import {
  failed,
  guardOf,
  type Hanging,
  handSetClock,
  hanging,
  ONE_LEASE,
  openCircuit,
  READ,
  START,
  settle,
  WRITE,
} from "./guards.ts";

handSetClock();

describe("waiters", () => {
  test.each([
    [1_000, false],
    [200, true],
  ])(
    "POOL-05: %i calls at once (polling: %s) never exceed the bound, and all of them end",
    async (count, isPolling) => {
      const guard = guardOf({ connectionPool: { maxConnections: 3 } }, { isPolling });
      let flying = 0;
      let most = 0;
      const calls = Array.from({ length: count }, () =>
        guard.run(READ, async () => {
          flying += 1;
          most = Math.max(most, flying);
          await new Promise((resolve) => setTimeout(resolve, 2));
          flying -= 1;
        }),
      );
      const all = Promise.all(calls);
      await vi.advanceTimersByTimeAsync(5_000);
      await all;
      expect(most).toBe(3);
      expect(guard.status().pool).toMatchObject({ borrowed: 0, pending: 0, created: 3 });
    },
  );

  test("a waiter is resumed as soon as a lease is free", async () => {
    const guard = guardOf(ONE_LEASE);
    const { made, attempt } = hanging();
    guard.run(READ, attempt);
    const waiter = guard.run(READ, async () => Date.now());
    await settle();
    made[0]?.resolve("held");
    expect(await waiter).toBe(START);
  });

  test("where requests must not resume each other, a waiter goes on by its own timer only", async () => {
    const guard = guardOf(ONE_LEASE, { isPolling: true });
    const holder = hanging();
    const waiter = hanging();
    const held = guard.run(READ, holder.attempt);
    const waiting = guard.run(READ, waiter.attempt);
    await settle();
    holder.made[0]?.resolve("held");
    expect(waiter.made).toHaveLength(0);
    expect(await held).toBe("held");
    await settle();
    expect(waiter.made).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(50);
    expect(waiter.made).toHaveLength(1);
    waiter.made[0]?.resolve("waited");
    expect(await waiting).toBe("waited");
  });

  test("the same after a failure, a reset, a close and the release of a lease that was held", async () => {
    const ends: ((guard: Driver, holder: Hanging | undefined) => void)[] = [
      (_, holder) => holder?.reject(failed("SQLITE_CONSTRAINT", 200)),
      (_, holder) => holder?.reject(failed("SERVER_ERROR", 503)),
      (guard) => guard.resetBreaker(),
      (guard) => guard.close(),
    ];
    for (const end of ends) {
      const guard = guardOf(ONE_LEASE, { isPolling: true });
      const holder = hanging();
      guard.run(WRITE, holder.attempt).catch(() => {});
      let isOver = false;
      const over = () => {
        isOver = true;
      };
      guard.run(READ, async () => {}).then(over, over);
      await settle();
      end(guard, holder.made[0]);
      await settle();
      expect(isOver).toBe(false);
      await vi.advanceTimersByTimeAsync(50);
      holder.made[0]?.resolve("ended");
      await vi.advanceTimersByTimeAsync(50);
      expect(isOver).toBe(true);
    }
    const guard = guardOf(ONE_LEASE, { isPolling: true });
    const lease = await guard.lease({ class: "transaction", kind: "write" });
    let isOver = false;
    const next = guard.lease({ class: "transaction", kind: "write" }).then(() => {
      isOver = true;
    });
    await settle();
    lease.release();
    await settle();
    expect(isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(50);
    await next;
  });
});

describe("tryCall", () => {
  test("a refusal by an open circuit is a value, the same one each time", async () => {
    const guard = guardOf();
    await openCircuit(guard);
    let runs = 0;
    const work = async () => {
      runs += 1;
    };
    const refusal = guard.tryCall(work) as Refusal;
    expect(refusal).toEqual({ refused: true, code: "CIRCUIT_OPEN", retryAtMs: guard.status().breaker.retryAtMs });
    expect(Object.isFrozen(refusal)).toBe(true);
    expect(guard.tryCall(work)).toBe(refusal);
    expect(runs).toBe(0);
  });

  test("held open by hand, it names no time", () => {
    const guard = guardOf();
    guard.forceState("OPEN");
    expect(guard.tryCall(async () => 1)).toMatchObject({ refused: true, retryAtMs: Number.POSITIVE_INFINITY });
  });

  test("while the circuit lets calls through it is call", async () => {
    const guard = guardOf();
    expect(await guard.tryCall(async () => "cold")).toBe("cold");
    expect(await guard.tryCall(async () => "warm")).toBe("warm");
    await openCircuit(guard);
    vi.setSystemTime(guard.status().breaker.retryAtMs as number);
    expect(await guard.tryCall(async () => "probe")).toBe("probe");
  });
});
