// One fault of one database under load, from before it until after its repair, in numbers.
import { setTimeout as pause } from "node:timers/promises";
import { percentile } from "./load.mjs";

/** Latency is back when the 99th of a hundred reads is within so many times what it was before... */
const BACK_FACTOR = 2;
/** ...or within so many milliseconds more: a busy machine adds some. */
const BACK_MORE_MS = 20;
const STEP_MS = 100;

/**
 * @typedef {object} Trial
 * @property {import("./rig.mjs").Name} name
 * @property {import("./rig.mjs").Fault} fault
 * @property {number} reads Reads that began while the database was broken, or in the second after its repair.
 * @property {number} served Of those, the ones that got their row.
 * @property {string[]} codes What the others got.
 * @property {{ p50: number, p99: number }} before In milliseconds.
 * @property {{ p50: number, p99: number }} during
 * @property {number} backMs From the fault until the 99th percentile of all reads from then on is back, in milliseconds.
 */

/**
 * @param {import("./rig.mjs").FailoverRig} rig
 * @param {import("./load.mjs").SteadyLoad} load
 * @param {import("./rig.mjs").Name} name
 * @param {import("./rig.mjs").Fault} fault
 * @param {{ healthyMs: number, brokenMs: number, mendedMs: number }} times
 * @returns {Promise<Trial>}
 */
export async function tryFault(rig, load, name, fault, { healthyMs, brokenMs, mendedMs }) {
  const beganAt = Date.now();
  await pause(healthyMs);
  const brokenAt = Date.now();
  await rig.break(name, fault);
  await pause(brokenMs);
  const mendedAt = Date.now();
  await rig.mend(name, fault);
  await pause(mendedMs);
  const reads = load.calls.filter(({ kind }) => kind === "read");
  const between = (/** @type {number} */ from, /** @type {number} */ to) =>
    reads.filter((call) => call.beganAt >= from && call.beganAt < to);
  const spread = (/** @type {import("./load.mjs").Call[]} */ calls) => {
    const times = calls.map(({ tookMs }) => tookMs);
    return { p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
  };
  const before = spread(between(beganAt, brokenAt));
  const broken = between(brokenAt, mendedAt);
  const limit = Math.max(before.p99 * BACK_FACTOR, before.p99 + BACK_MORE_MS);
  let backMs = 0;
  while (backMs < brokenMs && spread(between(brokenAt + backMs, mendedAt)).p99 > limit) backMs += STEP_MS;
  const concerned = between(brokenAt, mendedAt + 1_000);
  const failed = concerned.filter(({ ending }) => ending !== "acknowledged");
  return {
    name,
    fault,
    reads: concerned.length,
    served: concerned.length - failed.length,
    codes: [...new Set(failed.map(({ code }) => code))],
    before,
    during: spread(broken),
    backMs,
  };
}
