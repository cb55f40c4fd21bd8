// A primary and two replicas behind one client, under load, while one of them is killed, hung or slow. `npm run failover`
// is the same for longer and of each of them, and asserts how soon the latency is back; here it is only printed.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type SeawallClient } from "../../js/src/index.ts";
import { heldAgainst, SteadyLoad } from "../support/failover/load.mjs";
import { FAULTS, type FailoverRig, NAMES, startFailoverRig } from "../support/failover/rig.mjs";
import { tryFault } from "../support/failover/trial.mjs";

const TIMES = { healthyMs: 1_000, brokenMs: 3_000, mendedMs: 2_000 };
/** Share of the reads that must get their row. */
const SERVED = 0.999;

let rig: FailoverRig;
let client: SeawallClient;
let load: SteadyLoad;

beforeAll(async () => {
  rig = await startFailoverRig();
  client = createClient(rig.config());
  load = new SteadyLoad(client, { readsPerSecond: 60, writesPerSecond: 10 });
});
afterAll(async () => {
  await load?.stop();
  client?.close();
  await rig?.stop();
});

describe("three databases under load", () => {
  it.each(FAULTS)("LB-04 and LB-10: reads are served while a replica is %s", async (fault) => {
    const trial = await tryFault(rig, load, "replica-1", fault, TIMES);
    const { reads, served, codes, before, during, backMs } = trial;
    console.log(
      `${fault}: ${served} of ${reads} reads served; p50 ${before.p50.toFixed(0)} then ${during.p50.toFixed(0)} ms, p99 ${before.p99.toFixed(0)} then ${during.p99.toFixed(0)} ms; back after ${backMs} ms`,
    );
    expect(codes.length === 0 || served >= SERVED * reads, codes.join(", ")).toBe(true);
    expect(reads).toBeGreaterThan(100);
  });

  it.each(["killed", "hung"] as const)("LB-04 and LB-12: reads are served while the primary is %s", async (fault) => {
    const trial = await tryFault(rig, load, "primary", fault, TIMES);
    expect(trial.served, trial.codes.join(", ")).toBeGreaterThanOrEqual(SERVED * trial.reads);
  });

  it("LB-08 and LB-11: write to the primary only, lose and double nothing, and tell the truth of each write", async () => {
    const { lost, doubled, denied, untold, acknowledged } = heldAgainst(await load.stop(), await rig.written());
    expect({ lost, doubled, denied, untold }).toEqual({ lost: [], doubled: [], denied: [], untold: [] });
    expect(acknowledged).toBeGreaterThan(50);
    const { endpoints } = client.seawall.cluster();
    expect(endpoints.map(({ name }) => name)).toEqual([...NAMES]);
    for (const { role, writes } of endpoints) expect(writes > 0).toBe(role === "primary");
    for (const { reads } of endpoints) expect(reads).toBeGreaterThan(0);
  });
});
