// Callers that are answered and callers that leave: nothing of them may stay in the deployable Worker.
import { join } from "node:path";
import { beforeEach, expect, it } from "vitest";
import { type Fleet, startFleet, stateOf } from "../support/chaos/fleet.mjs";
import { askOnce } from "../support/chaos/load.mjs";
import { startRig, until } from "../support/rig.mjs";
import { bundleWorker } from "../support/workerd.mjs";

const CALLERS = 300;
const LEAVE_MS = 150;

let fleet: Fleet;

// A fresh one each: no check has a result yet, and no table has room from before.
beforeEach(async () => {
  fleet = await startFleet({ subject: "seawall", size: 1 });
  return () => fleet.rig.stop();
});

const watched = async () => (await stateOf(fleet, "watcher")).watched;

/** After the last caller: the abort of each has been heard. */
async function settled() {
  await new Promise((resolve) => setTimeout(resolve, 500));
  return watched();
}

/** Nobody gets an answer before it leaves. */
async function leaveTogether(callers: number): Promise<number> {
  await fleet.rig.proxy.set({ kind: "hang" });
  const ask = () => askOnce(fleet, "watcher", "api/health", { leaveMs: LEAVE_MS });
  const calls = await Promise.all(Array.from({ length: callers }, ask));
  return calls.filter(({ ending }) => ending === "left").length;
}

it("callers that leave do not make the deployable Worker's memory grow", async () => {
  expect(await leaveTogether(CALLERS)).toBe(CALLERS);
  await leaveTogether(CALLERS);
  const before = await settled();
  for (let times = 0; times < 4; times += 1) await leaveTogether(CALLERS);
  const after = await settled();
  expect(after.handles).toBeLessThanOrEqual(before.handles);
  // How many are there at once differs from round to round, and a table that is full doubles. Without being let go of,
  // each of these 1,200 would hold 2 KB.
  expect(after.wasmBytes - before.wasmBytes).toBeLessThan(4 * CALLERS * 500);
});

it("a database request that its caller left leaves no handle behind", async () => {
  /** A check that its caller left is sent anew only when it is overdue; nothing but such checks is asked for here. */
  const leaveOneRequest = async () => {
    const before = fleet.rig.proxy.requests;
    await until("the database is asked", async () => {
      await leaveTogether(1);
      return fleet.rig.proxy.requests > before;
    });
  };
  await leaveOneRequest();
  const before = (await settled()).handles;
  for (let times = 0; times < 3; times += 1) await leaveOneRequest();
  expect((await settled()).handles).toBeLessThanOrEqual(before);
});

it("an answered call leaves no handle behind, also where the platform does not say where it is", async () => {
  const answer = () => fleet.rig.ask("watcher", "/api/health").then((response) => response.text());
  await answer();
  const before = (await watched()).handlePlaces;
  expect(before).toBeGreaterThan(0);
  // The table doubles when it is full: of one place lost to each call, so many would show.
  for (let times = 0; times < 1_200; times += 10) await Promise.all(Array.from({ length: 10 }, answer));
  expect((await watched()).handlePlaces).toBe(before);
});

it("what no event says is lost is let go of when it is overdue", async () => {
  const workers = join(import.meta.dirname, "workers");
  const built = join(import.meta.dirname, "../../build/index.js");
  const [watcher, gate] = await Promise.all([
    bundleWorker(join(workers, "watched-worker.ts"), { alias: { "worker-under-test": built } }),
    bundleWorker(join(workers, "gate.ts")),
  ]);
  const rig = await startRig((url) => ({
    // Without the flag that tells a Worker that its caller has left.
    watcher: { modules: watcher, bindings: { TURSO_DATABASE_URL: url }, compatibilityFlags: [] },
    gate: { modules: gate, serviceBindings: { BEHIND: "watcher" } },
  }));
  try {
    const handles = async () => {
      const state = await (await rig.ask("watcher", "/state")).json();
      return (state as { watched: { handles: number } }).watched.handles;
    };
    const ask = async () => (await rig.ask("watcher", "/api/health")).status;
    await rig.ask("watcher", "/api/live");
    const before = await handles();
    await rig.proxy.set({ kind: "hang" });
    const left = Array.from({ length: 20 }, () => rig.ask("gate", `/api/health?leaveMs=${LEAVE_MS}`));
    for (const { status } of await Promise.all(left)) expect(status).toBe(499);
    await rig.proxy.set({ kind: "pass" });
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await handles()).toBeGreaterThan(before + 20);
    await rig.ask("watcher", "/clock?aheadMs=121000");
    expect(await ask()).toBe(200);
    // The core's own few are kept: the function that all promises call.
    await until("they are let go of", async () => (await handles()) <= before + 5);
    expect(await ask()).toBe(200);
    expect(rig.log()).not.toMatch(/Uncaught|RuntimeError|restarted/);
  } finally {
    await rig.stop();
  }
});
