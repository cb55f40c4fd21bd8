// What isolates learn from each other through a KV that is as slow as the real one. Time is hand-set.

import { describe, expect, test, vi } from "vitest";
import type { StateOptions } from "../src/config/options.ts";
import type { Driver } from "../src/driver.ts";
import { memoryStore } from "../src/store/memory.ts";
import { workersKvStore } from "../src/store/workers-kv.ts";
import { FakeKv, LIST_LAG_MS } from "./fake-kv.ts";
import { guardOf, handSetClock, openCircuit, READ, rejection, settle, unavailable } from "./guards.ts";

handSetClock();

function isolate(kv: FakeKv, location: string, state: Partial<StateOptions> = {}): Driver {
  return guardOf({ state: { store: workersKvStore(kv.at(location)), ...state } }, {}, "db.example");
}

const alive = async () => "alive";

describe("the fake", () => {
  test("takes one write of a key each second, and any number of different keys", async () => {
    const kv = new FakeKv();
    const store = workersKvStore(kv.at("FRA"));
    await store.put("a", "1", 60);
    await store.put("b", "1", 60);
    await expect(store.put("a", "2", 60)).rejects.toThrow("429");
    vi.setSystemTime(Date.now() + 1_000);
    await store.put("a", "3", 60);
    expect(await store.get("a")).toBe("3");
    expect(kv.counts).toMatchObject({ writes: 3, refused: 1 });
  });

  test("shows a write where it was made, and elsewhere when the copy there has lapsed; also that of nothing", async () => {
    const kv = new FakeKv();
    const [here, there] = [workersKvStore(kv.at("FRA")), workersKvStore(kv.at("SYD"))];
    expect(await there.get("key")).toBeNull();
    await here.put("key", "text", 3_600);
    expect([await here.get("key"), await there.get("key")]).toEqual(["text", null]);
    vi.setSystemTime(Date.now() + 29_999);
    expect(await there.get("key")).toBeNull();
    vi.setSystemTime(Date.now() + 1);
    expect(await there.get("key")).toBe("text");
    expect(kv.counts.centralReads).toBe(3);
  });

  test("lists a new key when it has lagged, and holds to KV's lower bounds", async () => {
    const kv = new FakeKv();
    const store = workersKvStore(kv.at("FRA"), { cacheTtl: 1 });
    await store.put("seawall/a", "text", 1);
    expect(await store.list?.("seawall/")).toEqual([]);
    vi.setSystemTime(Date.now() + 59_999);
    expect(await store.get("seawall/a")).toBe("text");
    vi.setSystemTime(Date.now() + LIST_LAG_MS);
    expect(await store.list?.("seawall/")).toEqual(["seawall/a"]);
    await expect(kv.at("FRA").get("a", { type: "text", cacheTtl: 29 })).rejects.toThrow("400");
    await expect(kv.at("FRA").put("a", "text", { expirationTtl: 59 })).rejects.toThrow("400");
  });
});

describe("isolates over a slow KV", () => {
  test("a location that has found nothing learns of an outage when its copy lapses, no sooner and no later", async () => {
    const kv = new FakeKv();
    expect(await isolate(kv, "SYD").run(READ, alive)).toBe("alive");
    await openCircuit(isolate(kv, "FRA", { writeJitter: 0 }));
    await vi.advanceTimersByTimeAsync(1);
    expect(await isolate(kv, "SYD").run(READ, alive)).toBe("alive");
    await expect(isolate(kv, "FRA").run(READ, alive)).rejects.toMatchObject({ code: "CIRCUIT_OPEN" });
    await vi.advanceTimersByTimeAsync(30_000);
    const late = isolate(kv, "SYD");
    await late.run(READ, alive).catch(() => {});
    expect(late.status().totals.hintsMerged).toBe(1);
  });

  test("a fleet that finds an outage at once writes at most once a second, and no refusal reaches a caller", async () => {
    const kv = new FakeKv();
    const fleet = Array.from({ length: 30 }, () => isolate(kv, "FRA", { coldReadTimeout: 0, writeJitter: 0 }));
    for (const guard of fleet) {
      for (let failures = 0; failures < 3; failures += 1) {
        expect((await rejection(guard.run({ ...READ, held: true }, unavailable))).code).toBe("SERVER_ERROR");
      }
    }
    await vi.advanceTimersByTimeAsync(10_000);
    expect(kv.counts.writes).toBeGreaterThanOrEqual(1);
    expect(kv.counts.writes).toBeLessThanOrEqual(11);
    await expect(isolate(kv, "FRA").run(READ, alive)).rejects.toMatchObject({ code: "CIRCUIT_OPEN" });
  });

  test("with a store near by, the other isolates of a place need not wait for KV", async () => {
    const kv = new FakeKv();
    const near = memoryStore();
    const beside = isolate(kv, "SYD", { near });
    expect(await beside.run(READ, alive)).toBe("alive");
    await openCircuit(isolate(kv, "SYD", { near }));
    await settle();
    expect(kv.counts.writes).toBe(0);
    await rejection(beside.run({ ...READ, held: true }, unavailable));
    await settle();
    expect(beside.status().breaker.state).toBe("OPEN");
  });

  test("places with keys of their own never write the same one", async () => {
    const kv = new FakeKv();
    for (const colo of ["FRA", "SYD", "IAD"]) await openCircuit(isolate(kv, colo, { colo, writeJitter: 0 }));
    await vi.advanceTimersByTimeAsync(1);
    expect(kv.counts).toMatchObject({ writes: 3, refused: 0 });
    vi.setSystemTime(Date.now() + LIST_LAG_MS);
    const found = await workersKvStore(kv.at("FRA")).list?.("seawall/v1/db.example/");
    expect(found).toEqual(["FRA", "IAD", "SYD"].map((colo) => `seawall/v1/db.example/${colo}`));
  });
});
