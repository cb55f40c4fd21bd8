// What a long run is watched by: the memory of workerd, and what each isolate says of itself.
import { readdirSync, readFileSync } from "node:fs";
import { stateOf } from "./fleet.mjs";

/**
 * @typedef {{ atMs: number, rssKb: number, isolates: Record<string, import("./fleet.mjs").IsolateState> }} Sample
 */

/** The workerds that this process has started. @returns {string[]} Their process ids. */
export function workerds() {
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    const status = statusOf(name);
    return /^Name:\s+workerd$/m.test(status) && Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]) === process.pid;
  });
}

/** @param {string} pid @returns {string} Empty if it has ended. */
function statusOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return "";
  }
}

/**
 * @param {import("./fleet.mjs").Fleet} fleet
 * @param {string} pid Its workerd.
 * @returns {Promise<Sample>}
 */
export async function takeSample(fleet, pid) {
  const states = await Promise.all(fleet.all.map(async (isolate) => [isolate, await stateOf(fleet, isolate)]));
  const rssKb = Number(/^VmRSS:\s+(\d+) kB/m.exec(statusOf(pid))?.[1]);
  return { atMs: Date.now(), rssKb, isolates: Object.fromEntries(states) };
}

/**
 * How fast memory grows: the slope of the least squares line through the last two thirds of the samples, in KB a minute.
 *
 * @param {readonly Sample[]} samples
 * @returns {number} 0 for fewer than two samples.
 */
export function growth(samples) {
  const late = samples.slice(Math.floor(samples.length / 3));
  /** @param {readonly number[]} numbers */
  const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
  const minutes = late.map(({ atMs }) => atMs / 60_000);
  const meanMinute = mean(minutes);
  const meanKb = mean(late.map(({ rssKb }) => rssKb));
  let covariance = 0;
  let variance = 0;
  for (const { atMs, rssKb } of late) {
    const minute = atMs / 60_000 - meanMinute;
    covariance += minute * (rssKb - meanKb);
    variance += minute * minute;
  }
  return variance === 0 ? 0 : covariance / variance;
}
