// One outage under load: healthy, broken, mended; and what it cost.
import { setTimeout as pause } from "node:timers/promises";
import { CONNECTIONS_MAX, DEADLINE_MS, FAILURES_MAX, PROBES_MAX, RECOVERY_MS, stateOf } from "./fleet.mjs";

/** Ways to break the database. */
export const FAULTS = /** @type {const} */ (["killed", "hung", "slow", "503", "reset"]);
/** @typedef {typeof FAULTS[number]} Fault */

/** Resolution of the recovery, in milliseconds. */
const SLOT_MS = 100;
/** An isolate has recovered when the calls of so many slots… */
const SLOTS = 10;
/** …succeed to this share. */
const SHARE = 0.95;
/** How slow a slow database is, in milliseconds: nobody waits that long. */
const SLOW_MS = 3 * DEADLINE_MS;

/** @type {Record<Exclude<Fault, "killed">, import("../fault-proxy.mjs").Mode>} */
const MODES = {
  hung: { kind: "hang" },
  slow: { kind: "slow", ms: SLOW_MS },
  503: { kind: "status", status: 503 },
  reset: { kind: "cut" },
};

/** @param {import("../rig.mjs").Rig} rig @param {Fault} fault */
export async function breakDatabase(rig, fault) {
  if (fault === "killed") await rig.sqld.kill();
  else await rig.proxy.set(MODES[fault]);
}

/** Resolves when the database answers again. @param {import("../rig.mjs").Rig} rig */
export async function mendDatabase(rig) {
  await rig.sqld.start();
  await rig.proxy.set({ kind: "pass" });
}

/**
 * What one outage cost. `upstream` requests reached the database's door while it was broken; at most `budget` may.
 * `recoveredMs` says for each isolate how long after the repair it served again; undefined if it did not.
 *
 * @typedef {{
 *   fault: Fault,
 *   downMs: number,
 *   upstream: number,
 *   budget: number,
 *   recoveredMs: Record<string, number | undefined>,
 *   kvReads: number,
 *   kvWrites: number,
 *   brokenAt: number,
 *   mendedAt: number,
 *   endedAt: number,
 * }} Outage
 */

/**
 * The most requests that isolates may send to a database that does not answer: each those that open its circuit and
 * those in flight meanwhile, then for each time that it stays open its probes.
 *
 * @param {number} isolates
 * @param {number} downMs
 */
export function budgetOf(isolates, downMs) {
  const windows = Math.ceil(downMs / RECOVERY_MS);
  return isolates * (FAILURES_MAX + CONNECTIONS_MAX + windows * PROBES_MAX);
}

/**
 * Breaks the database under load for `downMs`, mends it, and looks on for `mendedMs`.
 *
 * @param {import("./fleet.mjs").Fleet} fleet
 * @param {import("./load.mjs").Load} load
 * @param {Fault} fault
 * @param {{ downMs: number, mendedMs: number }} times
 * @returns {Promise<Outage>}
 */
export async function sufferOutage(fleet, load, fault, { downMs, mendedMs }) {
  const { rig } = fleet;
  const kvBefore = await kvOf(fleet);
  const before = rig.proxy.requests;
  const brokenAt = Date.now();
  await breakDatabase(rig, fault);
  await pause(downMs);
  const upstream = rig.proxy.requests - before;
  const wasDownMs = Date.now() - brokenAt;
  await mendDatabase(rig);
  const mendedAt = Date.now();
  await pause(mendedMs);
  const endedAt = Date.now();
  const kvAfter = await kvOf(fleet);
  return {
    fault,
    downMs: wasDownMs,
    upstream,
    budget: budgetOf(fleet.all.length, wasDownMs),
    recoveredMs: Object.fromEntries(
      fleet.all.map((isolate) => [isolate, recoveredMs(load.calls, isolate, mendedAt, endedAt)]),
    ),
    kvReads: kvAfter.gets - kvBefore.gets,
    kvWrites: kvAfter.puts - kvBefore.puts,
    brokenAt,
    mendedAt,
    endedAt,
  };
}

/** @param {import("./fleet.mjs").Fleet} fleet */
async function kvOf(fleet) {
  const states = await Promise.all(fleet.all.map((isolate) => stateOf(fleet, isolate)));
  return states.reduce((sum, { store }) => ({ gets: sum.gets + store.gets, puts: sum.puts + store.puts }), {
    gets: 0,
    puts: 0,
  });
}

/**
 * How long after `mendedAt` an isolate served again: from then on its calls succeed, those of the next second as well
 * as all until `endedAt`.
 *
 * @param {readonly import("./load.mjs").Call[]} calls
 * @param {string} isolate
 * @param {number} mendedAt
 * @param {number} endedAt
 * @returns {number | undefined} In whole slots; undefined if it did not recover.
 */
export function recoveredMs(calls, isolate, mendedAt, endedAt) {
  /** @type {{ all: number, good: number }[]} */
  const slots = Array.from({ length: Math.floor((endedAt - mendedAt) / SLOT_MS) }, () => ({ all: 0, good: 0 }));
  for (const call of calls) {
    const slot = call.isolate === isolate ? slots[Math.floor((call.beganAt - mendedAt) / SLOT_MS)] : undefined;
    if (slot === undefined) continue;
    slot.all += 1;
    if (call.ending === "acknowledged") slot.good += 1;
  }
  /** @param {number} from @param {number} to */
  const isGood = (from, to) => {
    const part = slots.slice(from, to);
    const all = part.reduce((sum, slot) => sum + slot.all, 0);
    return all > 0 && part.reduce((sum, slot) => sum + slot.good, 0) >= SHARE * all;
  };
  for (let index = 0; index + SLOTS <= slots.length; index += 1) {
    if (isGood(index, index + SLOTS) && isGood(index, slots.length)) return index * SLOT_MS;
  }
  return undefined;
}
