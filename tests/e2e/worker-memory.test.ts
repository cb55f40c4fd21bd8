// Callers that leave: workerd drops their requests, and nothing of them may stay.
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Fleet, startFleet, stateOf } from "../support/chaos/fleet.mjs";
import { askOnce } from "../support/chaos/load.mjs";

const CALLERS = 300;
const LEAVE_MS = 150;

let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet({ subject: "seawall", size: 1 });
  // Nobody gets an answer before it leaves.
  await fleet.rig.proxy.set({ kind: "hang" });
});
afterAll(() => fleet?.rig.stop());

async function leaveTogether(): Promise<number> {
  const ask = () => askOnce(fleet, "watcher", "api/health", { leaveMs: LEAVE_MS });
  const calls = await Promise.all(Array.from({ length: CALLERS }, ask));
  return calls.filter(({ ending }) => ending === "left").length;
}

async function wasmBytes(): Promise<number> {
  return (await stateOf(fleet, "watcher")).watched.wasmBytes;
}

it("callers that leave do not make the deployable Worker's memory grow", async () => {
  expect(await leaveTogether()).toBe(CALLERS);
  await leaveTogether();
  const before = await wasmBytes();
  for (let times = 0; times < 4; times += 1) await leaveTogether();
  expect(await wasmBytes()).toBe(before);
});
