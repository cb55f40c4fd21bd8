// What a long run is watched by: the memory of workerd once its garbage is collected, and what each isolate says of
// itself.
import { readdirSync, readFileSync } from "node:fs";
import { stateOf } from "./fleet.mjs";

/**
 * `heaps` are bytes that JavaScript uses, by isolate.
 *
 * @typedef {{
 *   atMs: number,
 *   rssKb: number,
 *   heaps: Record<string, number>,
 *   isolates: Record<string, import("./fleet.mjs").IsolateState>,
 * }} Sample
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
 * @param {import("../heaps.mjs").Heaps} heaps Of the same workerd.
 * @returns {Promise<Sample>}
 */
export async function takeSample(fleet, pid, heaps) {
  const used = await heaps.collect();
  const states = await Promise.all(fleet.all.map(async (isolate) => [isolate, await stateOf(fleet, isolate)]));
  const rssKb = Number(/^VmRSS:\s+(\d+) kB/m.exec(statusOf(pid))?.[1]);
  return { atMs: Date.now(), rssKb, heaps: used, isolates: Object.fromEntries(states) };
}

/**
 * How fast memory grows: the slope of the least squares line through the last two thirds of the samples.
 *
 * @param {readonly Sample[]} samples
 * @returns {{ kbPerMinute: number, error: number }} 0 for fewer than two samples. `error` is the standard error of the
 *   slope, 0 for fewer than three samples; the slope of a plateau lies within two of it around 0.
 */
export function growth(samples) {
  const late = samples.slice(Math.floor(samples.length / 3));
  /** @param {readonly number[]} numbers */
  const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
  const meanMs = mean(late.map(({ atMs }) => atMs));
  const meanKb = mean(late.map(({ rssKb }) => rssKb));
  const points = late.map(({ atMs, rssKb }) => ({ minute: (atMs - meanMs) / 60_000, kb: rssKb - meanKb }));
  const variance = points.reduce((sum, { minute }) => sum + minute * minute, 0);
  if (variance === 0) return { kbPerMinute: 0, error: 0 };
  const kbPerMinute = points.reduce((sum, { minute, kb }) => sum + minute * kb, 0) / variance;
  const squares = points.reduce((sum, { minute, kb }) => sum + (kb - kbPerMinute * minute) ** 2, 0);
  const error = points.length > 2 ? Math.sqrt(squares / (points.length - 2) / variance) : 0;
  return { kbPerMinute, error };
}
