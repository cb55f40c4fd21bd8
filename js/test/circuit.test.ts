// What is told of the circuit, and the hands on it.

import { describe, expect, test, vi } from "vitest";
import { Circuit, type CircuitEvent } from "../src/circuit.ts";
import { DatabaseCircuitBreaker } from "../src/circuit-breaker.ts";
import { createClient } from "../src/client.ts";
import { CircuitState, controlsOf } from "../src/controls.ts";
import type { Driver } from "../src/driver.ts";
import { DatabaseCircuitBreakerError, DatabaseRetryError } from "../src/errors.ts";
import { createGuard } from "../src/guard.ts";
import { memoryStore } from "../src/store/memory.ts";
import {
  guardOf,
  handSetClock,
  openCircuit,
  platformOf,
  READ,
  rejection,
  START,
  settle,
  trap,
  unavailable,
} from "./guards.ts";

handSetClock();

const FIRM = { circuitBreaker: { recoveryJitter: 0 } };

/** A guard whose events are written down. */
function watched(options = {}, overrides = {}): { guard: Driver; told: string[]; events: CircuitEvent[] } {
  const guard = guardOf({ ...FIRM, ...options }, overrides);
  const told: string[] = [];
  const events: CircuitEvent[] = [];
  for (const type of ["open", "close", "halfOpen"] as const) {
    guard.circuit.on(type, (event) => {
      told.push(event.type);
      events.push(event);
    });
  }
  return { guard, told, events };
}

const succeed = (guard: Driver) => guard.run(READ, async () => "value");

describe("events", () => {
  test("CB-12: open, halfOpen and close are each told once for each change", async () => {
    const { guard, told, events } = watched();
    await openCircuit(guard);
    await settle();
    expect(told).toEqual(["open"]);
    for (let refusals = 0; refusals < 3; refusals += 1) await rejection(succeed(guard));
    await vi.advanceTimersByTimeAsync(30_000);
    await rejection(guard.run({ ...READ, held: true }, unavailable));
    await settle();
    expect(told).toEqual(["open", "halfOpen", "open"]);
    await vi.advanceTimersByTimeAsync(30_000);
    await succeed(guard);
    await succeed(guard);
    await settle();
    expect(told).toEqual(["open", "halfOpen", "open", "halfOpen", "close"]);
    expect(events[0]).toEqual({
      type: "open",
      database: "driver",
      from: "CLOSED",
      to: "OPEN",
      reason: "failure_count",
      atMs: START,
    });
    expect(events.map(({ reason }) => reason).slice(1)).toEqual([
      "open_time_elapsed",
      "probe_failed",
      "open_time_elapsed",
      "recovered",
    ]);
  });

  test("CB-12: halfOpen is told while the probe runs, on the shortest way through too", async () => {
    const { guard, told } = watched({ timeouts: { query: 0 } });
    await openCircuit(guard);
    await vi.advanceTimersByTimeAsync(30_000);
    let seen: string[] = [];
    await guard.call(async () => {
      await settle();
      seen = [...told];
    });
    expect(seen).toEqual(["open", "halfOpen"]);
  });

  test("CB-12: what other isolates found is told by the first operation that it refuses", async () => {
    const other = guardOf(FIRM);
    const store = memoryStore();
    const put = vi.spyOn(store, "put");
    const sharing = guardOf({ ...FIRM, state: { store, writeJitter: 0 } });
    const first = openCircuit(sharing);
    await vi.advanceTimersByTimeAsync(5_000);
    await first;
    expect(put).toHaveBeenCalled();
    const { guard, told } = watched({ state: { store } });
    await rejection(succeed(guard));
    await settle();
    expect(told).toEqual(["open"]);
    expect(other.status().breaker.state).toBe("CLOSED");
  });

  test("CB-12: a listener that throws or rejects harms no operation and is counted", async () => {
    const { guard, told } = watched();
    guard.circuit.on("open", () => {
      throw new Error("a listener's own");
    });
    guard.circuit.on("open", async () => {
      throw new Error("later");
    });
    await openCircuit(guard);
    await settle();
    expect(told).toEqual(["open"]);
    expect(guard.status().breaker.listenerFailures).toBe(2);
    expect(await rejection(succeed(guard))).toBeInstanceOf(DatabaseCircuitBreakerError);
  });

  test("CB-12: a listener may ask and hold the breaker, and the operation that told it keeps its own error", async () => {
    const { guard } = watched();
    let state = "";
    guard.circuit.on("open", () => {
      state = guard.status().breaker.state;
      guard.forceState("CLOSED", "the listener knows better");
    });
    await openCircuit(guard).catch(() => {});
    await settle();
    expect(state).toBe("OPEN");
    expect(await succeed(guard)).toBe("value");
  });

  test("CB-12: the invocation lives until its listeners have ended", async () => {
    const kept: Promise<unknown>[] = [];
    const { guard } = watched({}, { waitUntil: (work: Promise<unknown>) => kept.push(work) });
    let isSent = false;
    guard.circuit.on("open", async () => {
      await settle();
      isSent = true;
    });
    await openCircuit(guard);
    expect(isSent).toBe(false);
    await Promise.all(kept);
    expect(isSent).toBe(true);
  });

  test("CB-12: a listener can be taken away, and a hundred of one event are the most", async () => {
    const { guard, told } = watched();
    const listener = vi.fn();
    const controls = controlsOf(() => guard);
    expect(controls.on("open", listener).off("open", listener)).toBe(controls);
    for (let listeners = 1; listeners < 100; listeners += 1) controls.circuitBreaker.on("open", () => {});
    expect(() => controls.circuitBreaker.on("open", () => {})).toThrow(RangeError);
    expect(() => controls.circuitBreaker.on("fire" as "open", () => {})).toThrow(RangeError);
    await openCircuit(guard);
    await settle();
    expect([told, listener.mock.calls]).toEqual([["open"], []]);
  });

  test("an open circuit is not told again by the core that replaces one that trapped", async () => {
    const { guard, told } = watched();
    await openCircuit(guard);
    trap("begin");
    await succeed(guard).catch(() => {});
    await rejection(succeed(guard));
    await settle();
    expect(told).toEqual(["open"]);
    expect(guard.status().coreRecoveries).toBe(1);
  });
});

describe("hands on the breaker", () => {
  test("CB-19: forceState holds it, and the status says who did what, when and why", async () => {
    const { guard, told } = watched();
    const { circuitBreaker, status } = controlsOf(() => guard);
    circuitBreaker.forceState(CircuitState.OPEN, { reason: "migration", by: "ops" });
    expect(await rejection(succeed(guard))).toMatchObject({ code: "CIRCUIT_OPEN", state: "OPEN" });
    expect(circuitBreaker.getMetrics().state).toBe(CircuitState.OPEN);
    await vi.advanceTimersByTimeAsync(90_000);
    expect(status().breaker).toMatchObject({ state: "OPEN", forced: "OPEN" });
    circuitBreaker.release("done");
    await settle();
    expect(status().breaker.hands).toEqual([
      { action: "OPEN", atMs: START, reason: "migration", by: "ops" },
      { action: "RELEASED", atMs: START + 90_000, reason: "done" },
    ]);
    expect(status().breaker.forced).toBeUndefined();
    expect(told).toEqual(["open", "halfOpen"]);
    expect(() => circuitBreaker.forceState(CircuitState.HALF_OPEN)).toThrow(RangeError);
  });

  test("CB-19: the last fifty hands are kept, and their words cut", () => {
    const guard = guardOf();
    for (let times = 0; times < 60; times += 1) guard.forceState("CLOSED", `${times} ${"x".repeat(1_000)}`);
    const { hands } = guard.status().breaker;
    expect([hands.length, hands[0]?.reason?.slice(0, 3), hands[0]?.reason?.length]).toEqual([50, "10 ", 200]);
  });

  test("CB-19: what is forced survives a trap of the core and a reconnection", async () => {
    const guard = guardOf();
    guard.forceState("OPEN", "by hand");
    trap("begin");
    await succeed(guard).catch(() => {});
    expect(guard.status()).toMatchObject({ coreRecoveries: 1, breaker: { state: "OPEN", forced: "OPEN" } });
    const db = createClient({ url: "https://example.com" });
    const listener = vi.fn();
    db.seawall.on("close", listener);
    db.seawall.circuitBreaker.forceState("OPEN", "by hand");
    await db.reconnect();
    expect(db.seawall.status().breaker).toMatchObject({ forced: "OPEN", hands: [{ reason: "by hand" }] });
    db.seawall.circuitBreaker.reset();
    await settle();
    expect(listener).toHaveBeenCalledOnce();
    db.close();
  });

  test("CB-20: reset closes it with counts of zero, lets go of a force, and is noted", async () => {
    const { guard, told } = watched();
    await openCircuit(guard);
    guard.forceState("OPEN");
    const { circuitBreaker } = controlsOf(() => guard);
    circuitBreaker.reset("stuck open");
    await settle();
    expect(circuitBreaker.getMetrics()).toEqual({ state: "CLOSED", failures: 0, successes: 0, requests: 0 });
    expect(guard.status().breaker.hands.at(-1)).toMatchObject({ action: "RESET", reason: "stuck open" });
    expect(told).toEqual(["open", "close"]);
    expect(await succeed(guard)).toBe("value");
  });

  test("CB-25: turned off while it runs it refuses nothing, and turned on it works again", async () => {
    const { guard, told } = watched();
    const { circuitBreaker } = controlsOf(() => guard);
    await openCircuit(guard);
    circuitBreaker.disable("manual-intervention");
    expect(await succeed(guard)).toBe("value");
    for (let failures = 0; failures < 10; failures += 1)
      await rejection(guard.run({ ...READ, held: true }, unavailable));
    expect(await succeed(guard)).toBe("value");
    trap("begin");
    await succeed(guard).catch(() => {});
    expect(guard.status().breaker.state).toBe("CLOSED");
    circuitBreaker.enable();
    circuitBreaker.reset();
    await openCircuit(guard);
    await settle();
    expect(told).toEqual(["open", "close", "open", "close", "open"]);
    expect(guard.status().breaker.hands.map(({ action }) => action)).toEqual(["DISABLED", "ENABLED", "RESET"]);
  });

  test.each([
    ["false", "CLOSED"],
    ["0", "CLOSED"],
    ["true", "OPEN"],
    [undefined, "OPEN"],
  ])("CB-25: ENABLE_CIRCUIT_BREAKER=%s leaves it %s after failures", async (value, state) => {
    const guard = guardOf({}, { variable: (name) => (name === "ENABLE_CIRCUIT_BREAKER" ? value : undefined) });
    for (let failures = 0; failures < 10; failures += 1) {
      await rejection(guard.run({ ...READ, held: true }, unavailable));
    }
    expect(guard.status().breaker.state).toBe(state);
  });

  test("CB-25: an option wins over the environment, which must make sense", () => {
    const variable = () => "perhaps";
    expect(() => guardOf({}, { variable })).toThrow(
      'ENABLE_CIRCUIT_BREAKER (circuitBreaker.enabled) must be true or false, got "perhaps"',
    );
    const off = guardOf({ circuitBreaker: { enabled: true } }, { variable: () => "false" });
    off.forceState("OPEN");
    expect(off.status().breaker.state).toBe("OPEN");
  });
});

describe("rules under other names", () => {
  test("CB-09: a percentage opens it at its share, from a minimum of calls on, and no count does", async () => {
    const guard = guardOf({
      circuitBreaker: { errorThresholdPercentage: 50, volumeThreshold: 20, recoveryJitter: 0 },
      retry: { attempts: 1 },
    });
    const fail = () => rejection(guard.run(READ, unavailable));
    for (let calls = 0; calls < 9; calls += 1) await fail();
    for (let calls = 0; calls < 10; calls += 1) await succeed(guard);
    expect(guard.status().breaker.state).toBe("CLOSED");
    await fail();
    expect(guard.status().breaker).toMatchObject({ state: "OPEN", failures: 10, requests: 20 });
  });

  test("CB-09: a count that is set beside the percentage holds too", async () => {
    const guard = guardOf({ circuitBreaker: { errorThresholdPercentage: 50, failureThreshold: 3 } });
    await openCircuit(guard);
  });

  test("CB-09: a percentage beyond 100 is refused", () => {
    expect(() => guardOf({ circuitBreaker: { errorThresholdPercentage: 101 } })).toThrow("from 0 to 100 %");
  });

  test("CB-17: retries inside of the breaker's options are honoured, in one place at a time", async () => {
    const guard = guardOf({
      circuitBreaker: { failureThreshold: 100, retry: { attempts: 2, initialDelay: 10, jitter: 0 } },
    });
    const ended = rejection(guard.run(READ, unavailable));
    await vi.advanceTimersByTimeAsync(10);
    expect(await ended).toMatchObject({ code: "RETRIES_EXHAUSTED", attempts: 2 });
    expect(() => guardOf({ circuitBreaker: { retry: {} }, retry: {} })).toThrow("two places");
    expect(() => guardOf({ circuitBreaker: 5 as never })).toThrow("circuitBreaker");
  });
});

describe("DatabaseCircuitBreaker", () => {
  const OPTIONS = {
    failureThreshold: 3,
    successThreshold: 2,
    timeout: 30_000,
    monitorWindow: 60_000,
    recoveryJitter: 0,
  };

  test("CB-13, CB-14, CB-15, CB-18: it opens after three failures, waits, and closes after two successes", async () => {
    const breaker = new DatabaseCircuitBreaker(OPTIONS, platformOf());
    const told: string[] = [];
    for (const type of ["open", "halfOpen", "close"] as const) breaker.on(type, () => told.push(type));
    const broken = new Error("as the database said");
    for (let failures = 0; failures < 3; failures += 1) {
      expect(breaker.getMetrics()).toEqual({ state: "CLOSED", failures, successes: 0, requests: failures });
      expect(await rejection(breaker.execute(() => Promise.reject(broken)))).toBe(broken);
    }
    const work = vi.fn(async () => "value");
    const refused = await rejection(breaker.execute(work));
    expect(refused).toBeInstanceOf(DatabaseCircuitBreakerError);
    expect(refused).toMatchObject({ state: "OPEN", retryAtMs: START + 30_000 });
    await vi.advanceTimersByTimeAsync(29_999);
    await rejection(breaker.execute(work));
    expect(work).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    await breaker.execute(work);
    expect(breaker.getMetrics().state).toBe(CircuitState.HALF_OPEN);
    await breaker.execute(work);
    await settle();
    expect(breaker.getMetrics()).toEqual({ state: "CLOSED", failures: 0, successes: 2, requests: 5 });
    expect(told).toEqual(["open", "halfOpen", "close"]);
  });

  test("CB-17, RT-02: with retries, a repeatable function fails after its attempts with their number", async () => {
    const breaker = new DatabaseCircuitBreaker({
      ...OPTIONS,
      failureThreshold: 100,
      retry: { attempts: 5, initialDelay: 500, maxDelay: 10_000, backoffMultiplier: 2, jitter: 0 },
    });
    const broken = new Error("as the database said");
    const work = vi.fn(() => Promise.reject(broken));
    const ended = rejection(breaker.execute(work, { idempotent: true }));
    await vi.advanceTimersByTimeAsync(500 + 1_000 + 2_000 + 4_000);
    expect(await ended).toBeInstanceOf(DatabaseRetryError);
    expect(await ended).toMatchObject({ attempts: 5, cause: broken });
    expect(work).toHaveBeenCalledTimes(5);
    expect(await rejection(breaker.execute(work))).toBe(broken);
    expect(work).toHaveBeenCalledTimes(6);
  });

  test("CB-21: useCircuitBreaker false goes past an open circuit, for that call only", async () => {
    const breaker = new DatabaseCircuitBreaker(OPTIONS, platformOf());
    breaker.forceState(CircuitState.OPEN);
    expect(await breaker.execute(async () => "value", { useCircuitBreaker: false })).toBe("value");
    expect(await rejection(breaker.execute(async () => "value"))).toBeInstanceOf(DatabaseCircuitBreakerError);
  });
});

test("CB-10: guards of one name have circuits of their own", async () => {
  const [first, second] = [guardOf(FIRM), guardOf(FIRM)];
  await openCircuit(first);
  expect(await succeed(second)).toBe("value");
  expect(new Circuit("a", platformOf()).isTroubled).toBe(false);
  expect(createGuard({}, "third").status().breaker.state).toBe("CLOSED");
});
