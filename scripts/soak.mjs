// Mixed load and random faults for a long while: does anything grow, leak, or go unhandled?
//
//   npm run soak                                   30 minutes; the exit status is 0 only if nothing is off
//   npm run soak -- --minutes=3 --seed=7           shorter, and the same chance again
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { program } from "./program.mjs";
import { StepError } from "./progress.mjs";

const ISOLATES = 2;
const USERS = 3;
const SAMPLE_MS = 20_000;
/** Healthy and broken by turns, each for at most this long, in milliseconds. */
const HEALTHY_MS = 15_000;
const BROKEN_MS = 8_000;
/** After the last call, callers who left are forgotten within this time, in milliseconds. */
const SETTLE_MS = 20_000;
const DRAIN_MS = 5_000;
/** A run of this many minutes says something about growth. */
const TELLING_MINUTES = 20;
/**
 * A call may leave behind in workerd, in bytes, so many times what one of the control leaves behind, and so much more.
 * The control is a Worker that only fetches, in a workerd of its own, under the same load and the same faults. Both are
 * measured after their garbage is collected: `Heaps` says why.
 */
const LEFT_RATIO = 1.5;
const LEFT_MORE = 500;
/** The JavaScript of an isolate may use so much more after the first third, in bytes: code is compiled late. */
const HEAP_MORE = 524_288;
/** The memory of a core grows by steps of this many bytes. */
const WASM_STEP = 65_536;

/** @typedef {import("../tests/support/chaos/samples.mjs").Sample} Sample */
/** @typedef {import("../tests/support/chaos/fleet.mjs").Fleet} Fleet */

function chosen() {
  try {
    const { values } = parseArgs({
      options: { minutes: { type: "string", default: "30" }, seed: { type: "string", default: String(Date.now()) } },
    });
    const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
    if (minutes > 0 && Number.isFinite(minutes) && Number.isInteger(seed)) return { minutes, seed };
  } catch {}
  throw new StepError("Use: npm run soak [-- --minutes=<n>] [--seed=<n>]");
}

/** @param {{ minutes: number, seed: number }} options @returns {Promise<boolean>} Whether nothing is off. */
async function soak({ minutes, seed }) {
  const [{ startFleet, stateOf }, { chance, Mixture }, outage, { takeSample, workerds }, { readLedger }, { Heaps }] =
    await Promise.all([
      import("../tests/support/chaos/fleet.mjs"),
      import("../tests/support/chaos/mixture.mjs"),
      import("../tests/support/chaos/outage.mjs"),
      import("../tests/support/chaos/samples.mjs"),
      import("../tests/support/chaos/ledger.mjs"),
      import("../tests/support/heaps.mjs"),
    ]);
  const random = chance(seed);
  const control = await startFleet({ subject: "fetch", size: ISOLATES + 1, isInspected: true });
  const [controlPid = ""] = workerds();
  const fleet = await startFleet({ subject: "seawall", size: ISOLATES, isInspected: true });
  const pid = workerds().find((other) => other !== controlPid) ?? "";
  try {
    const [heaps, controlHeaps] = await Promise.all([Heaps.of(fleet.rig.miniflare), Heaps.of(control.rig.miniflare)]);
    console.log(`\n${fleet.all.length} isolates, ${USERS} users each, ${minutes} minutes, seed ${seed}`);
    const endsAt = Date.now() + minutes * 60_000;
    const mixture = new Mixture(fleet, USERS, random);
    const controlMixture = new Mixture(control, USERS, chance(seed + 1));
    let fault = "";
    const faults = (async () => {
      for (;;) {
        await pause(Math.min(random() * HEALTHY_MS, Math.max(endsAt - Date.now(), 0)));
        if (Date.now() >= endsAt) return;
        const next = outage.FAULTS[Math.floor(random() * outage.FAULTS.length)] ?? "503";
        fault = next;
        await Promise.all([fleet, control].map(({ rig }) => outage.breakDatabase(rig, next)));
        await pause(random() * BROKEN_MS);
        await Promise.all([fleet, control].map(({ rig }) => outage.mendDatabase(rig)));
        fault = "";
      }
    })();
    /** @type {Sample[]} */
    const samples = [];
    /** @type {Sample[]} */
    const controlSamples = [];
    while (Date.now() < endsAt) {
      samples.push(await takeSample(fleet, pid, heaps));
      controlSamples.push(await takeSample(control, controlPid, controlHeaps));
      if (samples.length % 3 === 1) console.log(line(samples, mixture.calls.length, fault));
      const watcher = await fleet.rig.miniflare.getWorker("watcher");
      await watcher.scheduled({ cron: "* * * * *" });
      await pause(Math.min(SAMPLE_MS, Math.max(endsAt - Date.now(), 0)));
    }
    await faults;
    const [calls, controlCalls] = await Promise.all([mixture.stop(), controlMixture.stop()]);
    await pause(SETTLE_MS);
    samples.push(await takeSample(fleet, pid, heaps));
    console.log(line(samples, calls.length, "idle"));
    const drains = await Promise.all(
      fleet.isolates.map(async (isolate) => {
        const answer = await fleet.rig.ask(isolate, `/drain?limitMs=${DRAIN_MS}`);
        const { ms } = /** @type {{ ms: number }} */ (await answer.json());
        return { isolate, ms };
      }),
    );
    for (const isolate of fleet.all) console.log(`  ${isolate}: ${JSON.stringify(await stateOf(fleet, isolate))}`);
    const { growth } = await import("../tests/support/chaos/samples.mjs");
    const controlLeft = Math.round((growth(controlSamples).kbPerMinute * 1_024 * minutes) / controlCalls.length);
    console.log(
      `  control: ${controlCalls.length} calls, ${inWords(growth(controlSamples))}, ${controlLeft} bytes a call`,
    );
    const ledger = await readLedger(fleet, calls);
    return await report(ledger, calls, samples, drains, fleet.rig.log(), minutes, controlLeft);
  } finally {
    await Promise.all([fleet.rig.stop(), control.rig.stop()]);
  }
}

/** @param {readonly Sample[]} samples @param {number} calls @param {string} fault */
function line(samples, calls, fault) {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined) return "";
  const isolates = Object.entries(last.isolates).map(
    ([name, { watched, pool }]) =>
      `${name} ${watched.wasmBytes / 1_024} KB${pool ? `, ${pool.borrowed} leased, ${pool.pending} waiting, ${pool.leaked} lapsed` : ""}`,
  );
  const minute = ((last.atMs - first.atMs) / 60_000).toFixed(1).padStart(5);
  return `  ${minute} min  ${(last.rssKb / 1_024).toFixed(1)} MB  ${calls} calls  ${isolates.join("; ")}  ${fault}`;
}

/**
 * @param {import("../tests/support/chaos/ledger.mjs").Ledger} ledger
 * @param {readonly import("../tests/support/chaos/load.mjs").Call[]} calls
 * @param {readonly Sample[]} samples
 * @param {readonly { isolate: string, ms: number }[]} drains
 * @param {string} log
 * @param {number} minutes
 * @param {number} controlLeft What a call of the control has left behind, in bytes.
 */
async function report(ledger, calls, samples, drains, log, minutes, controlLeft) {
  const { counts, unknownApplied, lost, repeated, denied, mute } = ledger;
  const { growth } = await import("../tests/support/chaos/samples.mjs");
  /** @type {Map<string, number>} */
  const codes = new Map();
  for (const { kind, ending, code } of calls) {
    const name = `${kind.padEnd(12)} ${ending} ${code.slice(0, 60)}`;
    codes.set(name, (codes.get(name) ?? 0) + 1);
  }
  console.log(
    `  writes: ${Object.entries(counts)
      .map(([ending, count]) => `${ending} ${count}`)
      .join(", ")}`,
  );
  console.log(`  ${unknownApplied} of the unknown are in the table`);
  for (const [name, count] of [...codes].sort()) console.log(`    ${String(count).padStart(7)}  ${name}`);

  const isTelling = minutes >= TELLING_MINUTES;
  const slope = growth(samples);
  const heaps = heapGrowth(samples);
  const wasm = wasmGrowth(samples);
  const leftMax = Math.round(LEFT_RATIO * Math.max(0, controlLeft) + LEFT_MORE);
  const left = Math.round((slope.kbPerMinute * 1_024 * minutes) / calls.length);
  console.log(
    `  memory of workerd: ${inWords(slope)} over the last two thirds, ${left} bytes a call${isTelling ? "" : " (too short a run to judge)"}`,
  );
  console.log(`  memory of the cores: ${wasm.join(", ")} bytes over the last two thirds`);
  console.log(`  heaps of JavaScript: ${heaps.map(({ name, bytes }) => `${name} ${bytes}`).join(", ")} bytes likewise`);
  const states = Object.values(samples.at(-1)?.isolates ?? {});
  /** @param {(state: import("../tests/support/chaos/fleet.mjs").IsolateState) => number} of */
  const sum = (of) => states.reduce((total, state) => total + of(state), 0);
  const rejected = log.match(/Uncaught \(in promise\)/g)?.length ?? 0;
  const hung = log.match(/code had hung|will never complete|different request/gi)?.length ?? 0;
  /** @type {[string, number][]} */
  const off = [
    [`bytes that a call left behind beyond ${leftMax}`, isTelling ? Math.max(0, left - leftMax) : 0],
    [
      "isolates whose JavaScript uses more and more",
      isTelling ? heaps.filter(({ bytes }) => bytes > HEAP_MORE).length : 0,
    ],
    ["cores that have grown by more than one step", isTelling ? wasm.filter((bytes) => bytes > WASM_STEP).length : 0],
    ["rejections that nobody handled", sum(({ watched }) => watched.rejections) + rejected],
    ["requests that workerd found hung", hung],
    ["leases in use while idle", sum(({ pool }) => pool?.borrowed ?? 0)],
    ["operations that wait while idle", sum(({ pool }) => pool?.pending ?? 0)],
    [
      `isolates with calls that still run after ${DRAIN_MS / 1_000} s`,
      drains.filter(({ ms }) => ms >= DRAIN_MS).length,
    ],
    ["acknowledged writes that are not there", lost.length],
    ["writes that are there more than once", repeated.length],
    ["writes that were said to have had no effect, and are there", denied.length],
    ["calls without a result and without an error that says what happened", mute.length],
  ];
  for (const [what, count] of off) console.log(`  ${count === 0 ? "✓" : "✗"} ${count} ${what}`);
  for (const example of [...lost, ...repeated, ...denied, ...mute].slice(0, 10)) console.log(`      ${example}`);
  if (off.some(([, count]) => count > 0)) console.log(log.slice(-4_000));
  return off.every(([, count]) => count === 0);
}

/** @param {{ kbPerMinute: number, error: number }} slope With the interval that holds it by 95 %. */
function inWords({ kbPerMinute, error }) {
  return `${kbPerMinute.toFixed(0)} ± ${(2 * error).toFixed(0)} KB a minute`;
}

/** How much more each isolate's JavaScript uses than after the first third. @param {readonly Sample[]} samples */
function heapGrowth(samples) {
  const [from, to] = [samples[Math.floor(samples.length / 3)], samples.at(-1)];
  return Object.entries(to?.heaps ?? {}).map(([name, bytes]) => ({ name, bytes: bytes - (from?.heaps[name] ?? 0) }));
}

/** How much each core's memory has grown since the first third, in bytes. @param {readonly Sample[]} samples */
function wasmGrowth(samples) {
  const [from, to] = [samples[Math.floor(samples.length / 3)], samples.at(-1)];
  return Object.entries(to?.isolates ?? {}).map(
    ([name, { watched }]) => watched.wasmBytes - (from?.isolates[name]?.watched.wasmBytes ?? 0),
  );
}

await program(chosen, soak);
