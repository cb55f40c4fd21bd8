// Three real databases behind one client under load; each is killed, hung and made ten times slower in turn.
//
//   npm run failover                                   the exit status is 0 only if all promises were kept
//   npm run failover -- --down=4 --fault=hung          shorter, and one fault only
//   npm run failover -- --name=replica-1               of one database only: primary, replica-1 or replica-2
//   npm run failover -- --strategy=adaptive            performance, round_robin, least_connections or adaptive
import { parseArgs } from "node:util";
import { program } from "./program.mjs";
import { StepError } from "./progress.mjs";

/** Share of the reads that must get their row. */
const SERVED = 0.999;
/** The latency must be back after so long, in milliseconds. */
const BACK_MS = 3_000;
const RECOVERY_MS = 10_000;
const HEALTHY_MS = 3_000;
const MENDED_MS = 24_000;

function chosen() {
  try {
    const { values } = parseArgs({
      options: {
        down: { type: "string", default: "12" },
        reads: { type: "string", default: "150" },
        writes: { type: "string", default: "20" },
        fault: { type: "string", multiple: true },
        name: { type: "string", multiple: true },
        strategy: { type: "string", default: "performance" },
      },
    });
    const numbers = [values.down, values.reads, values.writes].map(Number);
    const [down = 0, reads = 0, writes = 0] = numbers;
    const { strategy, fault, name } = values;
    if (numbers.every((number) => number >= 1)) return { downMs: down * 1_000, reads, writes, strategy, fault, name };
  } catch {}
  throw new StepError(
    "Use: npm run failover [-- --down=<s>] [--reads=<per second>] [--writes=<per second>] [--fault=killed|hung|slow] [--name=primary|replica-1|replica-2] [--strategy=<name>]",
  );
}

/** @param {ReturnType<typeof chosen>} options @returns {Promise<boolean>} Whether all promises were kept. */
async function failover(options) {
  const [{ startFailoverRig, NAMES, FAULTS }, { SteadyLoad, heldAgainst }, { tryFault }, { createClient }] =
    await Promise.all([
      import("../tests/support/failover/rig.mjs"),
      import("../tests/support/failover/load.mjs"),
      import("../tests/support/failover/trial.mjs"),
      import("../js/dist/index.js"),
    ]);
  const rig = await startFailoverRig();
  // Circuits close again before the next fault begins: each finds three healthy databases.
  const circuitBreaker = { recoveryTimeout: RECOVERY_MS };
  const client = createClient(rig.config({ loadBalancing: { strategy: options.strategy }, circuitBreaker }));
  const load = new SteadyLoad(client, { readsPerSecond: options.reads, writesPerSecond: options.writes });
  let isKept = true;
  try {
    console.log(
      `\n${NAMES.join(", ")}: ${options.reads} reads and ${options.writes} writes a second, ${options.strategy}`,
    );
    console.log("  broken                 reads served             p50, p99 before   while broken        back after");
    for (const name of NAMES.filter((each) => options.name?.includes(each) ?? true)) {
      for (const fault of FAULTS.filter((each) => options.fault?.includes(each) ?? true)) {
        const times = { healthyMs: HEALTHY_MS, brokenMs: options.downMs, mendedMs: MENDED_MS };
        const trial = await tryFault(rig, load, name, fault, times);
        const isServed = trial.served >= SERVED * trial.reads;
        const isBack = trial.backMs <= BACK_MS;
        isKept &&= isServed && isBack;
        console.log(row(trial, isServed, isBack));
      }
    }
    const state = client.seawall.cluster();
    for (const { name, reads, writes, failures, failovers, ejections, latencyMs } of state.endpoints) {
      console.log(
        `  ${name}: ${reads} reads, ${writes} writes, ${failures} failed, ${failovers} moved on, ejected ${ejections} times, ${latencyMs.toFixed(1)} ms`,
      );
    }
    const told = heldAgainst(await load.stop(), await rig.written());
    console.log(
      `  writes: ${told.acknowledged} acknowledged, ${told.refused} refused, ${told.unknown} unknown; ${told.lost.length} lost, ${told.doubled.length} doubled, ${told.denied.length} denied, ${told.untold.length} without a word`,
    );
    for (const what of told.untold.slice(0, 5)) console.log(`    ${what}`);
    return isKept && [told.lost, told.doubled, told.denied, told.untold].every((list) => list.length === 0);
  } finally {
    await load.stop();
    client.close();
    await rig.stop();
  }
}

/** @param {import("../tests/support/failover/trial.mjs").Trial} trial @param {boolean} isServed @param {boolean} isBack */
function row({ name, fault, reads, served, codes, before, during, backMs }, isServed, isBack) {
  const ms = (/** @type {{ p50: number, p99: number }} */ { p50, p99 }) =>
    `${p50.toFixed(0)}, ${p99.toFixed(0)} ms`.padEnd(18);
  const share = `${served} of ${reads}, ${((100 * served) / Math.max(reads, 1)).toFixed(2)} %`.padEnd(24);
  const why = isServed ? "" : `  TOO FEW (${codes.join(", ")})`;
  return `  ${name.padEnd(10)} ${fault.padEnd(10)} ${share} ${ms(before)} ${ms(during)} ${(backMs / 1_000).toFixed(1)} s${isBack ? "" : "  TOO LATE"}${why}`;
}

await program(chosen, failover, ["npm"]);
