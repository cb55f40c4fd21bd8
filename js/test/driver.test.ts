// The driver: what it does beside the core's steps. Time is hand-set; the core is the real one.

import { getEventListeners } from "node:events";
import { describe, expect, test, vi } from "vitest";
import type { SeawallOptions } from "../src/config/options.ts";
import type { Driver } from "../src/driver.ts";
import { DatabaseTimeoutError } from "../src/errors.ts";
import {
  failed,
  guardOf,
  handSetClock,
  hanging,
  ONE_LEASE,
  openCircuit,
  READ,
  rejection,
  START,
  settle,
  unavailable,
  WRITE,
} from "./guards.ts";

handSetClock();

describe("deadlines", () => {
  test("RT-15: at the deadline the request is aborted and the call rejects, not a millisecond later", async () => {
    const guard = guardOf();
    const { made, attempt } = hanging();
    const rejected = rejection(guard.run({ ...READ, name: "report" }, attempt));
    let at = 0;
    rejected.then(() => {
      at = Date.now();
    });
    await vi.advanceTimersByTimeAsync(14_999);
    expect(made[0]?.cx.signal.aborted).toBe(false);
    expect(at).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(made[0]?.cx.signal.aborted).toBe(true);
    expect(at).toBe(START + 15_000);
    const error = await rejected;
    expect(error).toBeInstanceOf(DatabaseTimeoutError);
    expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", timeout: 15_000, operationName: "report" });
  });

  test.each([
    ["query", 15_000],
    ["transaction", 30_000],
    ["batch", 60_000],
    ["healthCheck", 3_000],
  ] as const)("RT-07 to RT-11: %s has %i ms, which the attempt is told", async (name, timeoutMs) => {
    const guard = guardOf();
    const { made, attempt } = hanging();
    const rejected = rejection(guard.run({ class: name, kind: "read" }, attempt));
    await settle();
    expect(made[0]?.cx.timeoutMs).toBe(timeoutMs);
    await vi.advanceTimersByTimeAsync(timeoutMs);
    expect(await rejected).toMatchObject({ code: "DEADLINE_EXCEEDED", timeout: timeoutMs });
  });

  test("RT-12: the limit of one call wins", async () => {
    const guard = guardOf();
    const rejected = rejection(guard.run({ ...READ, timeoutMs: 5_000 }, hanging().attempt));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await rejected).toMatchObject({ code: "DEADLINE_EXCEEDED", timeout: 5_000 });
    expect(Date.now()).toBe(START + 5_000);
  });

  test("RT-15: a function that takes no signal is given up at the deadline too", async () => {
    const guard = guardOf();
    await guard.call(async () => "the first call makes the core");
    for (const work of [() => new Promise(() => {}), hanging().attempt as () => Promise<string>]) {
      const rejected = rejection(guard.call(work));
      await vi.advanceTimersByTimeAsync(15_000);
      expect(await rejected).toMatchObject({ code: "DEADLINE_EXCEEDED", timeout: 15_000, outcome: "unknown" });
    }
  });

  test("an answer after the deadline is dropped, and its lease is free before it comes", async () => {
    const guard = guardOf(ONE_LEASE);
    const { made, attempt } = hanging();
    const rejected = rejection(guard.run(WRITE, attempt));
    await vi.advanceTimersByTimeAsync(15_000);
    expect(await rejected).toMatchObject({ code: "DEADLINE_EXCEEDED", outcome: "unknown" });
    expect(guard.status().pool.borrowed).toBe(0);
    made[0]?.resolve("late");
    await settle();
    expect(await guard.run(READ, async () => "next")).toBe("next");
    expect(guard.status().totals.successful).toBe(1);
  });

  test("without a limit a long attempt keeps its lease by renewing it", async () => {
    const guard = guardOf({ ...ONE_LEASE, timeouts: { query: 0 }, circuitBreaker: { timeoutThreshold: 0 } });
    const { made, attempt } = hanging();
    const value = guard.run(READ, attempt);
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(guard.status().pool).toMatchObject({ borrowed: 1, leaked: 0 });
    made[0]?.resolve("after an hour");
    expect(await value).toBe("after an hour");
    expect(vi.getTimerCount()).toBe(0);
  });

  test("nothing keeps running after a call: no timer, no listener", async () => {
    const guard = guardOf();
    const { signal } = new AbortController();
    await guard.run({ ...READ, signal }, async () => 1);
    await rejection(guard.run({ ...WRITE, signal }, unavailable));
    expect(vi.getTimerCount()).toBe(0);
    await guard.call(async () => 1);
    // One timer renews the leases of all calls; it keeps no process alive, and ends when it finds none running.
    await vi.advanceTimersByTimeAsync(1_000);
    expect(vi.getTimerCount()).toBe(0);
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });
});

describe("the caller's signal", () => {
  test("aborted before the call, nothing is attempted", async () => {
    const guard = guardOf();
    const { made, attempt } = hanging();
    const signal = AbortSignal.abort("gone");
    expect(await rejection(guard.run({ ...WRITE, signal }, attempt))).toMatchObject({
      code: "ABORTED",
      origin: "caller",
      outcome: "not_executed",
      cause: "gone",
    });
    expect(made).toHaveLength(0);
    expect(guard.status().pool.created).toBe(0);
  });

  test("aborted before a lease is asked for, none is taken", async () => {
    const guard = guardOf(ONE_LEASE);
    const signal = AbortSignal.abort("gone");
    expect(await rejection(guard.lease({ class: "transaction", kind: "write", signal }))).toMatchObject({
      code: "ABORTED",
      outcome: "not_executed",
    });
    expect(guard.status().pool.borrowed).toBe(0);
  });

  test("aborted while waiting, it leaves the queue at once and nobody else loses a place", async () => {
    const guard = guardOf(ONE_LEASE);
    const holder = hanging();
    const held = guard.run(READ, holder.attempt);
    const controller = new AbortController();
    const waiter = hanging();
    const waiting = rejection(guard.run({ ...WRITE, signal: controller.signal }, waiter.attempt));
    const behind = guard.run(READ, async () => "behind");
    await settle();
    expect(guard.status().pool.pending).toBe(2);
    controller.abort("gone");
    expect(await waiting).toMatchObject({ code: "ABORTED", outcome: "not_executed", cause: "gone" });
    expect(guard.status().pool.pending).toBe(1);
    holder.made[0]?.resolve("held");
    expect([await held, await behind]).toEqual(["held", "behind"]);
    expect(waiter.made).toHaveLength(0);
    expect(Date.now()).toBe(START);
  });

  test("aborted while waiting for a lease to hold, the same", async () => {
    const guard = guardOf(ONE_LEASE);
    const first = await guard.lease({ class: "transaction", kind: "write" });
    const controller = new AbortController();
    const waiting = rejection(guard.lease({ class: "transaction", kind: "write", signal: controller.signal }));
    await settle();
    controller.abort();
    expect(await waiting).toMatchObject({ code: "ABORTED", outcome: "not_executed" });
    first.release();
    expect(guard.status().pool).toMatchObject({ borrowed: 0, pending: 0 });
  });

  test("aborted during a delay, there is no further attempt", async () => {
    const guard = guardOf();
    const controller = new AbortController();
    let attempts = 0;
    const rejected = rejection(
      guard.run({ ...READ, signal: controller.signal }, () => {
        attempts += 1;
        return unavailable();
      }),
    );
    await settle();
    controller.abort();
    expect(await rejected).toMatchObject({ code: "ABORTED" });
    await vi.runAllTimersAsync();
    expect(attempts).toBe(1);
  });

  test.each([
    [READ, "not_executed"],
    [WRITE, "unknown"],
    [{ ...READ, kind: "unknown" }, "unknown"],
  ] as const)(
    "aborted while attempting %o, the request is aborted and the outcome is %s",
    async (operation, outcome) => {
      const guard = guardOf(ONE_LEASE);
      const controller = new AbortController();
      const { made, attempt } = hanging();
      const rejected = rejection(guard.run({ ...operation, signal: controller.signal }, attempt));
      await settle();
      controller.abort("gone");
      expect(made[0]?.cx.signal).toMatchObject({ aborted: true, reason: "gone" });
      expect(await rejected).toMatchObject({ code: "ABORTED", outcome, cause: "gone", retry: "never" });
      const { pool, totals } = guard.status();
      expect([pool.borrowed, totals.failed]).toEqual([0, 0]);
      expect(vi.getTimerCount()).toBe(0);
      made[0]?.reject(failed("ABORTED", 0));
      await settle();
    },
  );

  test("aborting a hundred calls neither opens the circuit nor loses a lease", async () => {
    const guard = guardOf();
    for (let calls = 0; calls < 100; calls += 1) {
      const controller = new AbortController();
      const rejected = rejection(guard.run({ ...READ, signal: controller.signal }, hanging().attempt));
      await Promise.resolve();
      controller.abort();
      expect(await rejected).toMatchObject({ code: "ABORTED" });
    }
    expect(guard.status()).toMatchObject({ breaker: { state: "CLOSED" }, pool: { borrowed: 0, pending: 0 } });
  });
});

describe("close and drain", () => {
  test("POOL-04: drain refuses new calls and waiters, lets running ones end, and resolves then", async () => {
    const guard = guardOf(ONE_LEASE);
    const { made, attempt } = hanging();
    const running = guard.run(READ, attempt);
    const waiting = rejection(guard.run(READ, async () => "waited"));
    await settle();
    let isDrained = false;
    const drained = guard.drain().then(() => {
      isDrained = true;
    });
    expect(await waiting).toMatchObject({ code: "CLIENT_CLOSED", outcome: "not_executed" });
    expect(await rejection(guard.run(READ, async () => "new"))).toMatchObject({ code: "CLIENT_CLOSED" });
    expect(await rejection(guard.call(async () => "new"))).toMatchObject({ code: "CLIENT_CLOSED" });
    expect(await rejection(guard.lease({ class: "transaction", kind: "write" }))).toMatchObject({
      code: "CLIENT_CLOSED",
    });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(isDrained).toBe(false);
    made[0]?.resolve("ended");
    expect(await running).toBe("ended");
    await vi.advanceTimersByTimeAsync(10);
    await drained;
    expect(guard.status().pool).toMatchObject({ size: 0, borrowed: 0 });
  });

  test("POOL-04: drain gives up at its deadline", async () => {
    const guard = guardOf({ timeouts: { query: 0 } });
    guard.run(READ, hanging().attempt);
    await settle();
    const drained = guard.drain(200);
    await vi.advanceTimersByTimeAsync(210);
    await drained;
    expect(Date.now()).toBe(START + 210);
  });

  test("POOL-04: drain has nothing to wait for when nothing runs, and may be repeated", async () => {
    const guard = guardOf();
    await Promise.all([guard.drain(), guard.drain()]);
    await guard.drain();
    guard.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("a call between two attempts is refused when the client closes meanwhile", async () => {
    const guard = guardOf();
    let attempts = 0;
    const rejected = rejection(
      guard.run(READ, () => {
        attempts += 1;
        return unavailable();
      }),
    );
    await settle();
    guard.close();
    expect(await rejected).toMatchObject({ code: "CLIENT_CLOSED", cause: { code: "SERVER_ERROR" } });
    expect(attempts).toBe(1);
  });

  test("reopened, it works again", async () => {
    const guard = guardOf();
    guard.close();
    guard.reopen();
    expect(await guard.run(READ, async () => "again")).toBe("again");
  });
});

describe("one operation's options", () => {
  test("CB-21: useCircuitBreaker false bypasses an open circuit for that call only", async () => {
    const guard = guardOf();
    await openCircuit(guard);
    expect(await guard.run({ ...READ, useCircuitBreaker: false }, async () => "through")).toBe("through");
    expect(await rejection(guard.run(READ, async () => 1))).toMatchObject({ code: "CIRCUIT_OPEN" });
  });

  test("RT-06: an idempotent write is repeated, another one is not", async () => {
    for (const [idempotent, attempts] of [
      [true, 2],
      [false, 1],
    ] as const) {
      const guard = guardOf();
      let made = 0;
      const work = guard.run({ ...WRITE, idempotent }, async () => {
        made += 1;
        if (made === 1) throw failed("CONNECTION_LOST", 0);
        return "written";
      });
      const ended = work.catch((error) => error.code);
      await vi.runAllTimersAsync();
      expect([await ended, made]).toEqual([idempotent ? "written" : "OUTCOME_UNKNOWN", attempts]);
    }
  });

  test("RT-06: a statement of a transaction needs no lease and is not repeated", async () => {
    const guard = guardOf(ONE_LEASE);
    const lease = await guard.lease({ class: "transaction", kind: "write" });
    expect(await guard.run({ ...READ, held: true }, async () => "inside")).toBe("inside");
    const lost = failed("CONNECT_FAILED", 0, false);
    expect(await rejection(guard.run({ ...READ, held: true }, () => Promise.reject(lost)))).toBe(lost);
    lease.release();
    lease.release();
    expect(guard.status().pool).toMatchObject({ borrowed: 0, leaked: 0 });
  });

  test("SM-05: a held lease lapses at its deadline and not before", async () => {
    const guard = guardOf(ONE_LEASE);
    const lease = await guard.lease({ class: "transaction", kind: "write" });
    await vi.advanceTimersByTimeAsync(29_999);
    expect(lease.lapsed).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(lease.lapsed).toBe(true);
    expect(await guard.run(READ, async () => "next")).toBe("next");
  });

  test("whose request is gone is known by its timer, which is long overdue", async () => {
    const guard = guardOf({ connectionPool: { leaseTtl: 3_000 } });
    const lease = await guard.lease({ class: "transaction", kind: "write", timeoutMs: 0 });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lease.vanished).toBe(false);
    // Timers of a cancelled request never run.
    vi.setSystemTime(Date.now() + 11_000);
    expect(lease.vanished).toBe(false);
    vi.setSystemTime(Date.now() + 1);
    expect(lease.vanished).toBe(true);
    lease.release();
    expect(lease.vanished).toBe(false);
  });
});

describe("settings", () => {
  test("a wrong setting is told when the guard is made, every one of them", () => {
    const options = {
      connectionPool: { maxConnections: 0 },
      retry: { attemps: 3 },
      circuitBraker: {},
    } as unknown as SeawallOptions;
    expect(() => guardOf(options)).toThrow(
      /connectionPool\.maxConnections.*retry\.attemps|retry\.attemps.*connectionPool/s,
    );
    expect(() => guardOf(options)).toThrow(/circuitBraker/);
  });

  test("so is an unknown setting of the shared state", () => {
    const store = { name: "none", caps: {}, get: async () => null, put: async () => {} };
    const options = { state: { store, readIntervall: 5 } } as unknown as SeawallOptions;
    expect(() => guardOf(options)).toThrow(/state\.readIntervall/);
  });

  test("POOL-03, CB-06: production has larger defaults, by the host's word or by the option", async () => {
    const max = (guard: Driver) => guard.status().pool.max;
    expect(max(guardOf())).toBe(2);
    expect(max(guardOf({}, { environment: () => "production" }))).toBe(5);
    expect(max(guardOf({ environment: "production" }))).toBe(5);
    expect(max(guardOf({ environment: "preview" }, { environment: () => "production" }))).toBe(2);
    expect(max(guardOf({ connectionPool: { maxConnections: 9 } }, { connectionsMax: 6 }))).toBe(6);
  });

  test("the kinds of thousands of statements are told without remembering them all", () => {
    const guard = guardOf();
    for (let number = 0; number < 2_000; number += 1) {
      expect(guard.kindOf(`SELECT ${number}`)).toBe("read");
    }
    expect(guard.kindOf("INSERT INTO t VALUES (1)")).toBe("write");
    expect(guard.kindOf("PRAGMA user_version = 1")).toBe("unknown");
  });
});
