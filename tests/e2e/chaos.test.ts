// A real database breaks in every way under load: what isolates that share KV send to it meanwhile, and that no write is
// lost, repeated or lied about. `npm run chaos` is the same for a minute each, beside a plain client.
//
// What it takes time for is the outage itself. How soon isolates serve again is printed here; only the command asserts it.
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Fleet, startFleet } from "../support/chaos/fleet.mjs";
import { readLedger } from "../support/chaos/ledger.mjs";
import { type Call, Load } from "../support/chaos/load.mjs";
import { FAULTS, type Outage, sufferOutage } from "../support/chaos/outage.mjs";
import { until } from "./rig.ts";

const TIMES = { downMs: 5_000, mendedMs: 3_500 };
const HEALTHY_MS = 1_000;
const PER_SECOND = 10;

let fleet: Fleet;
let load: Load;

beforeAll(async () => {
  fleet = await startFleet({ subject: "seawall", size: 4 });
  load = new Load(fleet, PER_SECOND);
});
afterAll(async () => {
  await load?.stop();
  await fleet?.rig.stop();
});

function during({ brokenAt, mendedAt }: Outage): Call[] {
  return load.calls.filter(({ beganAt }) => beganAt >= brokenAt && beganAt < mendedAt);
}

/** Whether the latest call of each isolate did what was asked. */
function allServe(): boolean {
  return fleet.all.every((name) => load.calls.findLast(({ isolate }) => isolate === name)?.ending === "acknowledged");
}

describe("isolates of the package and the deployable Worker, under load", () => {
  it.each(FAULTS)("send few requests to a database that is down (%s), and all serve again", async (fault) => {
    await pause(HEALTHY_MS);
    const outage = await sufferOutage(fleet, load, fault, TIMES);
    const { upstream, budget, recoveredMs, kvReads, kvWrites } = outage;
    const times = Object.entries(recoveredMs).map(([isolate, ms]) => `${isolate} ${ms ?? "not yet"}`);
    console.log(
      `${fault}: ${upstream} requests of at most ${budget}; ms until it served again: ${times.join(", ")}; KV: ${kvReads} reads, ${kvWrites} writes`,
    );
    expect(upstream).toBeGreaterThan(0);
    expect(upstream).toBeLessThanOrEqual(budget);
    const refused = during(outage).filter(({ code }) => code === "CIRCUIT_OPEN");
    expect(new Set(refused.map(({ isolate }) => isolate))).toEqual(new Set(fleet.isolates));
    await until("every isolate serves", allServe);
  });

  it("have lost no write, repeated none, and told the truth about each", async () => {
    const { counts, lost, repeated, denied, mute } = await readLedger(fleet, await load.stop());
    expect({ lost, repeated, denied, mute }).toEqual({ lost: [], repeated: [], denied: [], mute: [] });
    // Each way to end has happened, or the test has not seen what it is about.
    expect(counts.acknowledged).toBeGreaterThan(100);
    expect(counts.refused).toBeGreaterThan(0);
    expect(counts.unknown).toBeGreaterThan(0);
    expect(fleet.rig.log()).not.toMatch(/code had hung|will never complete|different request/i);
  });
});
