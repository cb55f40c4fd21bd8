// No trap of the core reaches a caller: the operation goes straight to the database, and the core is replaced.

import { describe, expect, test, vi } from "vitest";
import type { Driver } from "../src/driver.ts";
import {
  failed,
  guardOf,
  handSetClock,
  hanging,
  ONE_LEASE,
  openCircuit,
  READ,
  rejection,
  settle,
  trap,
  unavailable,
  WRITE,
} from "./guards.ts";

handSetClock();

describe("a core that traps", () => {
  /** Calls work afterwards, the circuit still counts, and the bound still holds. */
  async function worksAgain(guard: Driver): Promise<void> {
    expect(await guard.run(READ, async () => "later")).toBe("later");
    expect(await guard.call(async () => "later")).toBe("later");
    expect(guard.status().pool.borrowed).toBe(0);
    await openCircuit(guard);
  }

  test("lets the operation that met it go straight to the database", async () => {
    const guard = guardOf();
    expect(await guard.run(READ, async () => "before")).toBe("before");
    trap("begin");
    expect(await guard.run(WRITE, async (cx) => cx.attempt)).toBe(1);
    expect(guard.status().coreRecoveries).toBe(1);
    await worksAgain(guard);
  });

  test("lets a guarded function run", async () => {
    const guard = guardOf();
    await guard.call(async () => "before");
    trap("begin");
    expect(await guard.call(async () => "during")).toBe("during");
    expect(guard.status().coreRecoveries).toBe(1);
    await worksAgain(guard);
  });

  test("hands on the failure of an operation that went straight to the database", async () => {
    const guard = guardOf();
    await guard.call(async () => "before");
    for (const run of [(work: () => Promise<never>) => guard.run(READ, work), guard.call.bind(guard)]) {
      trap("begin");
      expect(await rejection(run(unavailable))).toMatchObject({ code: "SERVER_ERROR" });
      trap("begin");
      const thrown = rejection(
        run(() => {
          throw new TypeError("not even a promise");
        }),
      );
      expect(await thrown).toBeInstanceOf(TypeError);
    }
    expect(guard.status().coreRecoveries).toBe(4);
  });

  test("hands on the result that came before it", async () => {
    const guard = guardOf();
    await guard.call(async () => "before");
    trap("succeed");
    expect(await guard.run(READ, async () => "result")).toBe("result");
    trap("succeed");
    expect(await guard.call(async () => "result")).toBe("result");
    expect(guard.status().coreRecoveries).toBe(2);
    await worksAgain(guard);
  });

  test("hands on the failure that came before it", async () => {
    const guard = guardOf();
    await guard.call(async () => "before");
    trap("report");
    expect(await rejection(guard.run(READ, unavailable))).toMatchObject({ code: "SERVER_ERROR" });
    trap("report");
    expect(await rejection(guard.call(unavailable))).toMatchObject({ code: "SERVER_ERROR" });
    trap("export");
    expect(await rejection(guard.run(WRITE, unavailable))).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    expect(guard.status().coreRecoveries).toBe(3);
    await worksAgain(guard);
  });

  test("lets a waiter go straight to the database", async () => {
    const guard = guardOf(ONE_LEASE);
    const { made, attempt } = hanging();
    const holder = guard.run(READ, attempt);
    const waiter = guard.run(READ, async () => "waited");
    await settle();
    trap("wake");
    made[0]?.resolve("held");
    expect(await holder).toBe("held");
    expect(await waiter).toBe("waited");
    await worksAgain(guard);
  });

  test("does not end operations that are in flight when another meets it", async () => {
    const guard = guardOf({ connectionPool: { maxConnections: 5 } });
    const { made, attempt } = hanging();
    const reading = guard.run(READ, attempt);
    const failing = rejection(guard.run(WRITE, attempt));
    const calling = guard.call(attempt as () => Promise<string>);
    await settle();
    expect(made).toHaveLength(3);
    trap("begin");
    expect(await guard.run(READ, async () => "during")).toBe("during");
    // Longer than a lease lives without renewal.
    await vi.advanceTimersByTimeAsync(6_000);
    made[0]?.resolve("read");
    made[1]?.reject(failed("SQLITE_CONSTRAINT", 200));
    made[2]?.resolve("called");
    expect(await reading).toBe("read");
    expect(await failing).toMatchObject({ code: "SQLITE_CONSTRAINT" });
    expect(await calling).toBe("called");
    await worksAgain(guard);
  });

  test("does not end operations that are in flight when another guard meets it", async () => {
    const [ours, theirs] = [guardOf(), guardOf()];
    const { made, attempt } = hanging();
    const reading = ours.run(READ, attempt);
    await settle();
    await theirs.run(READ, async () => "before");
    trap("begin");
    expect(await theirs.run(READ, async () => "during")).toBe("during");
    made[0]?.resolve("read");
    expect(await reading).toBe("read");
    await worksAgain(ours);
  });

  test("of another guard leaves no durations that are read from where the old core had them", async () => {
    const [guard, other] = [guardOf(), guardOf()];
    await guard.call(async () => "counted");
    await other.call(async () => "before");
    expect(guard.times()?.counts.reduce((sum, count) => sum + count)).toBe(1);
    trap("begin");
    await other.call(async () => "during");
    // Others' counts now lie where the old core's were; ours is a new core, which has counted nothing.
    for (const crowd of Array.from({ length: 50 }, () => guardOf())) {
      for (let call = 0; call < 20; call += 1) await crowd.call(async () => "counted");
    }
    expect(guard.times()?.counts.reduce((sum, count) => sum + count)).toBe(0);
    expect(guard.times()?.sumsMs.every((sum) => sum === 0)).toBe(true);
  });

  test("does not come out of a timer that renews a lease", async () => {
    const guard = guardOf();
    const { made, attempt } = hanging();
    const reading = guard.run(READ, attempt);
    await settle();
    trap("renew");
    await vi.advanceTimersByTimeAsync(6_000);
    made[0]?.resolve("read");
    expect(await reading).toBe("read");
    await worksAgain(guard);
  });

  test("does not lose a lease that is held", async () => {
    const guard = guardOf();
    const before = await guard.lease({ class: "transaction", kind: "write" });
    trap("begin");
    const during = await guard.lease({ class: "transaction", kind: "write" });
    expect(during.lapsed).toBe(false);
    await vi.advanceTimersByTimeAsync(4_000);
    before.release();
    during.release();
    await worksAgain(guard);
  });

  test("does not come out of tryCall, kindOf, or anything but an operation", async () => {
    const guard = guardOf();
    await guard.call(async () => "before");
    trap("breakerState");
    expect(await guard.tryCall(async () => "tried")).toBe("tried");
    trap("status");
    expect(guard.status().pool.max).toBe(2);
    trap("running");
    trap("connections");
    expect(guard.connections()).toEqual([]);
    trap("force");
    guard.forceState("OPEN");
    expect(guard.status().breaker.forced).toBe("OPEN");
    trap("resetBreaker");
    guard.resetBreaker();
    trap("close");
    guard.close();
    expect(await rejection(guard.run(READ, async () => 1))).toMatchObject({ code: "CLIENT_CLOSED" });
    const drained = guard.drain();
    await vi.runAllTimersAsync();
    await drained;
    trap("reopen");
    guard.reopen();
    expect(guard.kindOf("SELECT 1")).toBe("read");
    await worksAgain(guard);
  });

  test("keeps what was learnt: the circuit stays open", async () => {
    const guard = guardOf();
    await openCircuit(guard);
    trap("begin");
    expect(await guard.run(READ, async () => "during")).toBe("during");
    expect(await rejection(guard.run(READ, async () => "after"))).toMatchObject({ code: "CIRCUIT_OPEN" });
  });
});
