// Breaks a real database in every way under load, and holds what the isolates did against what is promised.
//
//   npm run chaos                               60 s of each fault; the exit status is 0 only if all promises were kept
//   npm run chaos -- --down=10 --fault=hung     shorter, and one fault only
//   npm run chaos -- --stale=30                 what an isolate reads of KV may be 30 s old, as it may in a network
//   npm run chaos -- --subject=seawall          without the comparison: seawall or @libsql/client/web
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { program } from "./program.mjs";
import { StepError } from "./progress.mjs";

const HEALTHY_MS = 3_000;
const MENDED_MS = 20_000;
/** How long after the repair every isolate must serve again, in milliseconds. */
const RECOVERED_MS = 3_000;
/** What the deployable Worker says of the database may be this old, in milliseconds. */
const SAID_MS = 1_000;
const SUBJECTS = /** @type {const} */ (["@libsql/client/web", "seawall"]);

/** @typedef {import("../tests/support/chaos/outage.mjs").Outage} Outage */
/** @typedef {import("../tests/support/chaos/ledger.mjs").Ledger} Ledger */

function chosen() {
  try {
    const { values } = parseArgs({
      options: {
        down: { type: "string", default: "60" },
        isolates: { type: "string", default: "6" },
        rate: { type: "string", default: "15" },
        fault: { type: "string", multiple: true },
        stale: { type: "string", default: "0" },
        subject: { type: "string" },
      },
    });
    const subjects = SUBJECTS.filter((subject) => values.subject === undefined || values.subject === subject);
    const numbers = [values.down, values.isolates, values.rate].map(Number);
    const [down = 0, isolates = 0, rate = 0] = numbers;
    if (subjects.length > 0 && numbers.every((number) => number >= 1)) {
      const staleMs = Number(values.stale) * 1_000 || 0;
      return { staleMs, downMs: down * 1_000, isolates: Math.min(isolates, 26), rate, faults: values.fault, subjects };
    }
  } catch {}
  throw new StepError(
    "Use: npm run chaos [-- --down=<s>] [--isolates=<n>] [--rate=<calls a second>] [--stale=<s>] [--fault=killed|hung|slow|503|reset] [--subject=seawall|@libsql/client/web]",
  );
}

/**
 * @param {typeof SUBJECTS[number]} subject
 * @param {ReturnType<typeof chosen>} options
 * @returns {Promise<boolean>} Whether all promises were kept.
 */
async function suffer(subject, { downMs, isolates, rate, faults, staleMs }) {
  const [{ startFleet }, { Load }, { FAULTS, sufferOutage }, { readLedger }] = await Promise.all([
    import("../tests/support/chaos/fleet.mjs"),
    import("../tests/support/chaos/load.mjs"),
    import("../tests/support/chaos/outage.mjs"),
    import("../tests/support/chaos/ledger.mjs"),
  ]);
  const isOurs = subject === "seawall";
  const fleet = await startFleet({ subject, size: isolates, staleMs });
  try {
    console.log(
      `\n${subject}: ${fleet.all.length} isolates, ${rate} calls a second each, ${downMs / 1_000} s of each fault`,
    );
    console.log(
      "  fault    upstream calls while down   served again after (of the isolates: median, worst)   KV reads  writes",
    );
    const load = new Load(fleet, rate);
    const outages = [];
    for (const fault of FAULTS.filter((name) => faults?.includes(name) ?? true)) {
      await pause(HEALTHY_MS);
      const outage = await sufferOutage(fleet, load, fault, { downMs, mendedMs: MENDED_MS });
      outages.push(outage);
      console.log(row(outage, isOurs));
      if (isOurs && isLate(outage)) console.log(`           ms of each: ${JSON.stringify(outage.recoveredMs)}`);
    }
    const ledger = await readLedger(fleet, await load.stop());
    return report(ledger, load.calls, fleet.rig.log(), outages, isOurs);
  } finally {
    await fleet.rig.stop();
  }
}

/** Whether an isolate did not serve in time after the repair. @param {Outage} outage */
function isLate({ recoveredMs }) {
  return Object.entries(recoveredMs).some(
    ([name, ms = Number.POSITIVE_INFINITY]) => ms > RECOVERED_MS + (name === "watcher" ? SAID_MS : 0),
  );
}

/** @param {Outage} outage @param {boolean} isOurs */
function row({ fault, upstream, budget, recoveredMs, kvReads, kvWrites }, isOurs) {
  const isolates = Object.entries(recoveredMs).map(([name, ms]) => ({ name, ms: ms ?? Number.POSITIVE_INFINITY }));
  isolates.sort((left, right) => left.ms - right.ms);
  const [median, worst] = [isolates[isolates.length >> 1], isolates.at(-1)].map((isolate) =>
    isolate?.ms === Number.POSITIVE_INFINITY
      ? `never (${isolate.name})`
      : `${((isolate?.ms ?? 0) / 1_000).toFixed(1)} s (${isolate?.name})`,
  );
  const calls = isOurs ? `${upstream} of at most ${budget}` : String(upstream);
  const kv = isOurs ? `${String(kvReads).padStart(8)}  ${String(kvWrites).padStart(6)}` : "";
  return `  ${fault.padEnd(8)} ${calls.padEnd(27)} ${`${median}, ${worst}`.padEnd(57)} ${kv}`;
}

/**
 * @param {Ledger} ledger
 * @param {readonly import("../tests/support/chaos/load.mjs").Call[]} calls
 * @param {string} log
 * @param {readonly Outage[]} outages
 * @param {boolean} isOurs
 * @returns {boolean}
 */
function report(ledger, calls, log, outages, isOurs) {
  const { counts, unknownApplied, lost, repeated, denied, mute } = ledger;
  /** @type {Map<string, number>} */
  const codes = new Map();
  for (const { ending, code } of calls) {
    const name = ending === "acknowledged" ? ending : `${ending} ${code.slice(0, 60)}`;
    codes.set(name, (codes.get(name) ?? 0) + 1);
  }
  const writes = Object.entries(counts).map(([ending, count]) => `${ending} ${count}`);
  console.log(`  writes: ${writes.join(", ")} (${unknownApplied} of the unknown are in the table)`);
  console.log("  all calls:");
  for (const [name, count] of [...codes].sort((left, right) => right[1] - left[1]).slice(0, 12)) {
    console.log(`    ${String(count).padStart(7)}  ${name}`);
  }
  const hung = log.match(/code had hung|will never complete|different request/gi)?.length ?? 0;
  /** @type {[string, number][]} */
  const broken = [
    ["outages with more upstream calls than the budget", outages.filter((each) => each.upstream > each.budget).length],
    [`outages after which an isolate did not serve within ${RECOVERED_MS / 1_000} s`, outages.filter(isLate).length],
    ["acknowledged writes that are not there", lost.length],
    ["writes that are there more than once", repeated.length],
    ["writes that were said to have had no effect, and are there", denied.length],
    ["calls without a result and without an error that says what happened", mute.length],
    ["requests that workerd found hung", hung],
  ];
  for (const [what, count] of broken) console.log(`  ${count === 0 ? "✓" : "✗"} ${count} ${what}`);
  for (const example of [...lost, ...repeated, ...denied, ...mute].slice(0, 5)) console.log(`      ${example}`);
  return !isOurs || broken.every(([, count]) => count === 0);
}

await program(chosen, async (options) => {
  let isKept = true;
  for (const subject of options.subjects) isKept = (await suffer(subject, options)) && isKept;
  return isKept;
});
