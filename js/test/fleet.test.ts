// The circuit in all data centres, from a store that can list. Time is hand-set.

import { describe, expect, test, vi } from "vitest";
import type { SeawallOptions } from "../src/config/options.ts";
import { controlsOf } from "../src/controls.ts";
import type { Driver } from "../src/driver.ts";
import type { FleetStatus } from "../src/status.ts";
import { memoryStore } from "../src/store/memory.ts";
import type { Store } from "../src/store/store.ts";
import { failed, guardOf, handSetClock, READ, START } from "./guards.ts";

handSetClock();

const PREFIX = "seawall/v1/db.example";

function isolate(store: Store, colo: string, options: SeawallOptions = {}, database = "db.example"): Driver {
  return guardOf({ ...options, state: { store, colo, coldReadTimeout: 0, ...options.state } }, {}, database);
}

/** Opens the circuit of a colo and leaves that in the store; closes it again if it is to be closed. */
async function told(store: Store, colo: string, state: "OPEN" | "CLOSED", database?: string): Promise<void> {
  const work: Promise<unknown>[] = [];
  const guard = guardOf(
    { state: { store, colo, coldReadTimeout: 0, writeInterval: 1_000 } },
    { waitUntil: (promise) => void work.push(promise) },
    database ?? "db.example",
  );
  const down = failed("SERVER_ERROR", 503);
  for (let failures = 0; failures < 3; failures += 1) {
    await guard.run({ ...READ, held: true }, () => Promise.reject(down)).catch(() => {});
  }
  if (state === "CLOSED") guard.resetBreaker();
  await vi.runAllTimersAsync();
  await Promise.all(work);
  expect(guard.status().breaker.state).toBe(state);
}

function states(fleet: FleetStatus): string[] {
  return fleet.colos.map(({ colo, state }) => `${colo} ${state}`);
}

describe("the fleet", () => {
  test("is open when half of its colos are, each weighing as much as it was asked", async () => {
    const store = memoryStore();
    await told(store, "AMS", "OPEN");
    await told(store, "FRA", "CLOSED");
    await told(store, "LHR", "CLOSED");
    const { fleet } = controlsOf(() => isolate(store, "NRT"));
    expect(await fleet()).toMatchObject({ isOpen: false, openWeight: 3, totalWeight: 9, skipped: 0, unread: 0 });
    await told(store, "LHR", "OPEN");
    const view = await fleet();
    expect(view).toMatchObject({ isOpen: true, openWeight: 9, totalWeight: 12 });
    expect(states(view)).toEqual(["AMS OPEN", "FRA CLOSED", "LHR OPEN"]);
    const [ams] = view.colos;
    expect(ams).toMatchObject({ weight: 3, requests: 3, failures: 3 });
    expect(ams?.isolates).toBeGreaterThan(0);
    expect(ams?.sinceMs).toBeGreaterThanOrEqual(START);
  });

  test("has the quorum that was set", async () => {
    const store = memoryStore();
    await told(store, "AMS", "OPEN");
    await told(store, "FRA", "OPEN");
    await told(store, "LHR", "CLOSED");
    for (const [quorum, isOpen] of [
      [0.6, true],
      [0.7, false],
    ] as const) {
      const guard = isolate(store, "NRT", { state: { store, colo: "NRT", quorum } });
      expect((await guard.fleet()).isOpen).toBe(isOpen);
    }
    expect(() => isolate(store, "NRT", { state: { store, quorum: 1.1 } })).toThrow("state.quorum");
  });

  test("is advice to an isolate that knows nothing, and to no other", async () => {
    const store = memoryStore();
    await told(store, "AMS", "OPEN");
    await told(store, "FRA", "OPEN");
    const ignorant = isolate(store, "NRT");
    const heard = vi.fn();
    ignorant.circuit.on("halfOpen", heard);
    await ignorant.fleet();
    expect(ignorant.status().breaker.state).toBe("HALF_OPEN");
    await Promise.resolve();
    expect(heard).toHaveBeenCalledTimes(1);
    const healthy = isolate(store, "NRT");
    await healthy.run(READ, async () => "alive");
    await healthy.fleet();
    expect(healthy.status().breaker.state).toBe("CLOSED");
    const there = isolate(store, "AMS");
    await there.fleet();
    expect(there.status().breaker.state, "its own colo's word comes first").toBe("OPEN");
  });

  test("is no advice by the word of one colo alone", async () => {
    const store = memoryStore();
    await told(store, "AMS", "OPEN");
    const guard = isolate(store, "NRT");
    expect((await guard.fleet()).isOpen).toBe(true);
    expect(guard.status().breaker.state).toBe("CLOSED");
  });

  test("counts isolates that know no place, and no database whose name begins alike", async () => {
    const store = memoryStore();
    await told(store, "", "OPEN");
    await told(store, "AMS", "OPEN", "db.example.com");
    await told(store, "AMS", "OPEN", "db.example/deep");
    expect(states(await isolate(store, "NRT").fleet())).toEqual([" OPEN"]);
  });

  test("skips garbage and what cannot be read, and says how much", async () => {
    const store = memoryStore();
    await told(store, "AMS", "OPEN");
    await store.put(`${PREFIX}/BAD`, "no snapshot\nXXX of anything", 600);
    await store.put(`${PREFIX}/BIG`, "A".repeat(1_000_000), 600);
    await store.put(`${PREFIX}/GONE`, "x", 600);
    const get = async (key: string) => {
      if (key.endsWith("/GONE")) throw new Error("out of order");
      return store.get(key);
    };
    const view = await isolate({ ...store, get }, "NRT").fleet();
    expect(view).toMatchObject({ skipped: 2, unread: 1 });
    expect(states(view)).toEqual(["AMS OPEN"]);
  });

  test("is read six keys at a time, four hundred at most", async () => {
    const names = Array.from({ length: 500 }, (_, number) => `${PREFIX}/C${number + 100}`);
    let reads = 0;
    let running = 0;
    let most = 0;
    const store: Store = {
      name: "wide",
      caps: { compareAndSet: false, writesPerSecond: undefined, list: true },
      put: async () => {},
      list: async () => names,
      async get() {
        reads += 1;
        running += 1;
        most = Math.max(most, running);
        await Promise.resolve();
        running -= 1;
        return null;
      },
    };
    expect(await isolate(store, "NRT").fleet()).toEqual({
      isOpen: false,
      openWeight: 0,
      totalWeight: 0,
      skipped: 0,
      unread: 101,
      colos: [],
    });
    expect([reads, most]).toEqual([400, 6]);
  });

  test("needs a store that can list, and says so", async () => {
    await expect(guardOf().fleet()).rejects.toThrow("fleet() needs seawall.state.store");
    const { list: _, ...rest } = memoryStore();
    const store: Store = { ...rest, name: "mine" };
    await expect(isolate(store, "NRT").fleet()).rejects.toThrow("the store mine cannot");
  });

  test("fails as the store's list does, late included", async () => {
    const broken: Store = { ...memoryStore(), list: () => Promise.reject(new Error("no listing today")) };
    await expect(isolate(broken, "NRT").fleet()).rejects.toThrow("no listing today");
    const silent: Store = { ...memoryStore(), list: () => new Promise(() => {}) };
    const late = expect(isolate(silent, "NRT").fleet()).rejects.toThrow("the store did not answer");
    await vi.advanceTimersByTimeAsync(5_000);
    await late;
  });
});
