// Every error that a caller can meet, with its fields.

import { describe, expect, test, vi } from "vitest";
import {
  DatabaseCircuitBreakerError,
  DatabaseRetryError,
  DatabaseTimeoutError,
  LibsqlError,
  OutcomeUnknownError,
  PoolExhaustedError,
  ResilienceError,
} from "../src/errors.ts";
import {
  failed,
  guardOf,
  handSetClock,
  hanging,
  openCircuit,
  READ,
  rejection,
  START,
  settle,
  WRITE,
} from "./guards.ts";

handSetClock();

describe("errors", () => {
  test("CIRCUIT_OPEN names the time, the state and that nothing was sent", async () => {
    const guard = guardOf();
    await openCircuit(guard);
    const { retryAtMs } = guard.status().breaker;
    for (const refused of [guard.run(READ, async () => 1), guard.call(async () => 1)]) {
      const error = await rejection(refused);
      expect(error).toBeInstanceOf(DatabaseCircuitBreakerError);
      expect(error).toBeInstanceOf(LibsqlError);
      expect(error).toMatchObject({
        code: "CIRCUIT_OPEN",
        origin: "policy",
        retry: "at",
        retryAtMs,
        outcome: "not_executed",
        state: "OPEN",
      });
      expect(error.message).toMatch(/^CIRCUIT_OPEN: /);
    }
  });

  test("CB-24: CIRCUIT_OPEN of a circuit that probes says HALF_OPEN", async () => {
    const guard = guardOf({ circuitBreaker: { halfOpenMaxCalls: 1 } });
    await openCircuit(guard);
    vi.setSystemTime(guard.status().breaker.retryAtMs as number);
    const probe = hanging();
    const probing = guard.run(READ, probe.attempt);
    const error = await rejection(guard.run(READ, async () => 1));
    expect(error).toMatchObject({ code: "CIRCUIT_OPEN", state: "HALF_OPEN", retry: "at" });
    expect(error.retryAtMs).toBeGreaterThan(Date.now());
    probe.made[0]?.resolve("alive");
    await probing;
  });

  test("CIRCUIT_OPEN by hand names no time", async () => {
    const guard = guardOf();
    guard.forceState("OPEN");
    const error = await rejection(guard.run(READ, async () => 1));
    expect(error).toMatchObject({ code: "CIRCUIT_OPEN", state: "OPEN" });
    expect("retryAtMs" in error).toBe(false);
  });

  test("CB-05: a refusal takes less than a millisecond and runs nothing", async () => {
    const guard = guardOf();
    await openCircuit(guard);
    let runs = 0;
    const begin = performance.now();
    for (let calls = 0; calls < 1_000; calls += 1) {
      await rejection(
        guard.call(async () => {
          runs += 1;
        }),
      );
    }
    expect((performance.now() - begin) / 1_000).toBeLessThan(1);
    expect(runs).toBe(0);
  });

  test("POOL_TIMEOUT and POOL_QUEUE_FULL", async () => {
    const guard = guardOf({ connectionPool: { maxConnections: 1, maxQueue: 1 } });
    guard.run({ ...READ, timeoutMs: 0 }, hanging().attempt);
    const late = rejection(guard.run(READ, async () => 1));
    await settle();
    const full = await rejection(guard.run(READ, async () => 1));
    await vi.advanceTimersByTimeAsync(5_000);
    const facts = { origin: "policy", retry: "if_repeatable", outcome: "not_executed" };
    expect(full).toMatchObject({ code: "POOL_QUEUE_FULL", ...facts });
    expect(await late).toMatchObject({ code: "POOL_TIMEOUT", ...facts });
    for (const error of [full, await late]) {
      expect(error).toBeInstanceOf(PoolExhaustedError);
      expect("retryAtMs" in error).toBe(false);
    }
    expect(Date.now()).toBe(START + 5_000);
  });

  test("CLIENT_CLOSED", async () => {
    const guard = guardOf();
    guard.close();
    const error = await rejection(guard.run(READ, async () => 1));
    expect(error).toBeInstanceOf(ResilienceError);
    expect(error).toMatchObject({
      code: "CLIENT_CLOSED",
      origin: "caller",
      retry: "never",
      outcome: "not_executed",
    });
  });

  test.each([
    [READ, "not_executed"],
    [WRITE, "unknown"],
  ] as const)("DEADLINE_EXCEEDED of %o", async (operation, outcome) => {
    const guard = guardOf();
    const rejected = rejection(guard.run({ ...operation, timeoutMs: 70, name: "slow" }, hanging().attempt));
    await vi.advanceTimersByTimeAsync(70);
    const error = await rejected;
    expect(error).toBeInstanceOf(DatabaseTimeoutError);
    expect(error).toMatchObject({
      code: "DEADLINE_EXCEEDED",
      origin: "upstream",
      retry: "if_repeatable",
      outcome,
      timeout: 70,
      operationName: "slow",
    });
    expect(error.message).toContain("70 ms");
    expect(error.message.includes("may have been applied")).toBe(outcome === "unknown");
  });

  test("OUTCOME_UNKNOWN holds the failure as its cause", async () => {
    const guard = guardOf();
    const lost = failed("CONNECTION_LOST", 0);
    const error = await rejection(guard.run(WRITE, () => Promise.reject(lost)));
    expect(error).toBeInstanceOf(OutcomeUnknownError);
    expect(error).toMatchObject({
      code: "OUTCOME_UNKNOWN",
      origin: "upstream",
      retry: "if_repeatable",
      outcome: "unknown",
    });
    expect(error.cause).toBe(lost);
  });

  test("RT-02: RETRIES_EXHAUSTED after exactly five attempts, with their number and the last failure", async () => {
    const guard = guardOf({}, { environment: () => "production" });
    const failures: LibsqlError[] = [];
    const rejected = rejection(
      guard.run(READ, async () => {
        failures.push(failed("SERVER_ERROR", 503));
        throw failures.at(-1);
      }),
    );
    await vi.runAllTimersAsync();
    const error = await rejected;
    expect(error).toBeInstanceOf(DatabaseRetryError);
    expect(error).toMatchObject({
      code: "RETRIES_EXHAUSTED",
      origin: "upstream",
      retry: "if_repeatable",
      outcome: "not_executed",
      attempts: 5,
    });
    expect(failures).toHaveLength(5);
    expect(error.cause).toBe(failures[4]);
  });

  test("OVERLOADED", async () => {
    const guard = guardOf({ connectionPool: { enabled: false }, timeouts: { query: 0 } });
    const forever = () => new Promise<never>(() => {});
    guard.run(READ, forever);
    for (let calls = 1; calls < 1 << 14; calls += 1) guard.call(forever);
    expect(await rejection(guard.call(async () => 1))).toMatchObject({
      code: "OVERLOADED",
      origin: "policy",
      retry: "if_repeatable",
      outcome: "not_executed",
    });
  });

  test("ABORTED carries the caller's reason", async () => {
    const guard = guardOf();
    const reason = new Error("the user left");
    const error = await rejection(guard.run({ ...READ, signal: AbortSignal.abort(reason) }, async () => 1));
    expect(error).toBeInstanceOf(ResilienceError);
    expect(error).toMatchObject({ code: "ABORTED", origin: "caller", retry: "never" });
    expect(error.cause).toBe(reason);
  });

  test("the database's own error is handed on as it is", async () => {
    const guard = guardOf();
    const constraint = failed("SQLITE_CONSTRAINT", 200);
    expect(await rejection(guard.run(WRITE, () => Promise.reject(constraint)))).toBe(constraint);
    expect(guard.status().breaker).toMatchObject({ failures: 0, successes: 1 });
  });

  test("so is whatever a guarded function throws, synchronously or not", async () => {
    const guard = guardOf();
    await guard.call(async () => "before");
    const thrown = new RangeError("ours");
    const throwing = (): Promise<never> => {
      throw thrown;
    };
    for (const work of [throwing, () => Promise.reject(thrown)]) {
      expect((await rejection(guard.call(work))).cause).toBe(thrown);
    }
  });

  test("a refusal captures no stack and shows no secret", async () => {
    const guard = guardOf();
    guard.forceState("OPEN");
    const error = await rejection(guard.run({ ...READ, name: "ping" }, async () => 1));
    expect(error.stack?.split("\n")).toHaveLength(1);
    expect(JSON.stringify({ ...error, message: error.message })).not.toMatch(/authToken|Bearer/);
  });
});
