// The story told once, without a keyboard. Each act happened or did not, and says so with its numbers.
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { query, Tally } from "./traffic.mjs";
import { RECOVERY_MS } from "./world.mjs";

const QUERIES = 50;
const REFUSALS = 200;
/** What a refusal may take, in microseconds. */
const REFUSAL_MAX_US = 2_000;
const WAIT_MS = 5;
const LIMIT_MS = 15_000;

/** @typedef {import("./world.mjs").World} World */
/** @typedef {{ queries: number, refused: number, microsecondsEach: number }} Refusals */

/**
 * Tells the story.
 *
 * @param {World} world
 * @param {import("./world.mjs").Break} how
 * @returns {Promise<boolean>} Whether each act happened.
 */
export async function tellStory(world, how) {
  const acts = [
    await serving(world),
    await refusing(world, how),
    await knowing(world),
    await reporting(world),
    await recovering(world),
  ];
  const passed = acts.filter(Boolean).length;
  console.log(`\n${passed} of ${acts.length} acts happened.`);
  return passed === acts.length;
}

/**
 * @param {string} act
 * @param {Record<string, boolean>} conditions
 * @param {string[]} numbers
 */
function tell(act, conditions, numbers) {
  const missed = Object.keys(conditions).filter((name) => !conditions[name]);
  console.log(`\n${missed.length === 0 ? "PASS" : "FAIL"}  ${act}`);
  for (const line of numbers) console.log(`      ${line}`);
  for (const name of missed) console.log(`      not so: ${name}`);
  return missed.length === 0;
}

/** @param {World} world */
async function serving(world) {
  const before = world.requests;
  const tally = await queries(world, "a");
  const arrival = await world.ask("a", "/tx");
  const arrived = await arrival.text();
  return tell(
    "isolate a serves",
    { "every query was answered": tally.served === QUERIES, "a transaction was committed": arrival.ok },
    [
      `${tally.served} of ${QUERIES} queries answered, median ${tally.medianMs.toFixed(1)} ms; the server saw ${world.requests - before} requests`,
      `transaction: ${arrived}`,
    ],
  );
}

/** @param {World} world @param {import("./world.mjs").Break} how */
async function refusing(world, how) {
  await world.break(how);
  const began = performance.now();
  const before = world.requests;
  const tally = new Tally();
  while (tally.refused === 0 && performance.now() - began < LIMIT_MS) await query(world, "a", tally);
  const openedMs = performance.now() - began;
  const opening = world.requests - before;
  await until(() => world.hasHint());
  await untilJustOpened(world, "a");
  const atRest = world.requests;
  const { refused, microsecondsEach } = await refusals(world, "a");
  const touched = world.requests - atRest;
  return tell(
    `the database breaks (${how}): isolate a refuses`,
    {
      "the circuit opened": tally.refused > 0,
      [`all of ${REFUSALS} queries were refused`]: refused === REFUSALS,
      "each took less than 2 ms": microsecondsEach < REFUSAL_MAX_US,
      "none reached the server": touched === 0,
    },
    [
      `opened after ${tally.failed} failed queries, ${opening} requests to the server, ${Math.round(openedMs)} ms`,
      `${refused} of ${REFUSALS} queries refused, ${microsecondsEach.toFixed(1)} µs each (limit ${REFUSAL_MAX_US}); the server saw ${touched}`,
    ],
  );
}

/** @param {World} world */
async function knowing(world) {
  const before = world.requests;
  const began = performance.now();
  const first = await world.ask("b");
  const { code } = /** @type {{ code?: string }} */ (await first.json());
  const firstMs = performance.now() - began;
  const { refused, microsecondsEach } = await refusals(world, "b");
  const { breaker, totals } = await world.state("b");
  const touched = world.requests - before;
  return tell(
    "a new isolate b, made this moment: refuses from what KV told it",
    {
      "its first query was refused": code === "CIRCUIT_OPEN",
      "it learnt from KV": totals.hintsMerged > 0,
      "it had no failure of its own": totals.failed === 0 && breaker.failures === 0,
      "it asked the server for nothing": breaker.requests === 0 && touched === 0,
      [`all of ${REFUSALS} queries were refused`]: refused === REFUSALS,
    },
    [
      `first answer after ${Math.round(firstMs)} ms, start of the isolate and read of KV included: ${code ?? first.status}`,
      `${refused} of ${REFUSALS} queries refused, ${microsecondsEach.toFixed(1)} µs each; own failures ${totals.failed}, own requests ${breaker.requests}; the server saw ${touched}`,
    ],
  );
}

/** @param {World} world */
async function reporting(world) {
  // A slow database that still answers in time is degraded, with status 200.
  const isReported = await until(async () => (await health(world)).text !== HEALTHY);
  const { text } = await health(world);
  return tell("the Rust Worker reports the outage: /api/health", { "it says so": isReported }, [text]);
}

/** @param {World} world */
async function recovering(world) {
  await world.mend();
  const began = performance.now();
  const [first, second] = await Promise.all(["a", "b"].map((isolate) => recovered(world, isolate, began)));
  const tallies = await Promise.all(["a", "b"].map((isolate) => queries(world, isolate)));
  const served = tallies.map((tally) => tally.served);
  const isReported = await until(async () => (await health(world)).isWell);
  return tell(
    "the database is mended: both recover",
    {
      "isolate a closed its circuit": first !== undefined,
      "isolate b closed its circuit": second !== undefined,
      "every query was answered": served.every((count) => count === QUERIES),
      "the Rust Worker reports it": isReported,
    },
    [
      `closed after ${seconds(first)} (a) and ${seconds(second)} (b), with a recovery time of ${RECOVERY_MS / 1_000} s`,
      `then ${served.join(" and ")} of ${QUERIES} queries answered; /api/health: ${(await health(world)).text}`,
    ],
  );
}

/** What {@link health} says of a database without trouble. */
const HEALTHY = "200 healthy";

/** What the Rust Worker says of the database. @param {World} world */
async function health(world) {
  const response = await fetch(`${world.url}/api/health`);
  const { status } = /** @type {{ status?: string }} */ (await response.json());
  return { isWell: response.ok, text: `${response.status} ${status ?? ""}` };
}

/** Sends queries one after the other. @param {World} world @param {string} isolate */
async function queries(world, isolate) {
  const tally = new Tally();
  for (let index = 0; index < QUERIES; index += 1) await query(world, isolate, tally);
  return tally;
}

/** @param {World} world @param {string} isolate */
async function refusals(world, isolate) {
  return /** @type {Refusals} */ (await (await world.ask(isolate, `/refusals?n=${REFUSALS}`)).json());
}

/** Waits until a circuit has so much of its open time left that no probe falls into what follows. */
async function untilJustOpened(/** @type {World} */ world, /** @type {string} */ isolate) {
  await until(async () => {
    await query(world, isolate, new Tally());
    const { state, retryAtMs = 0 } = (await world.state(isolate)).breaker;
    return state === "OPEN" && retryAtMs - Date.now() > RECOVERY_MS / 2;
  });
}

/**
 * Milliseconds since `began` at which an isolate's circuit was found closed.
 *
 * @param {World} world @param {string} isolate @param {number} began
 */
async function recovered(world, isolate, began) {
  const isClosed = await until(async () => {
    await query(world, isolate, new Tally());
    return (await world.state(isolate)).breaker.state === "CLOSED";
  });
  return isClosed ? performance.now() - began : undefined;
}

/** @param {number | undefined} ms */
function seconds(ms) {
  return ms === undefined ? "never" : `${(ms / 1_000).toFixed(1)} s`;
}

/** Whether something came true in time. @param {() => Promise<boolean>} isTrue */
async function until(isTrue) {
  const limit = performance.now() + LIMIT_MS;
  while (performance.now() < limit) {
    if (await isTrue()) return true;
    await sleep(WAIT_MS);
  }
  return false;
}
