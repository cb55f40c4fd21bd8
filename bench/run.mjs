// `npm run bench`: our numbers beside the peers', measured in one run, against the goals. See bench/README.md.
import { parseArgs } from "node:util";
import { startSqld } from "../tests/support/sqld.mjs";
import { prepare } from "./prepare.mjs";
import { jsonOf, tableOf } from "./report.mjs";

/**
 * What a group of measurements is told.
 *
 * @typedef {object} Plan
 * @property {boolean} isQuick
 * @property {number} rounds Rounds that count.
 * @property {(id: string) => boolean} wants Whether the row with that id was asked for.
 * @property {(text: string) => void} say Shows progress.
 * @property {() => Promise<string>} database Address of the one server; it is started when it is first needed.
 */

const USAGE = `npm run bench -- [--quick] [--only=<id prefix>] [--json]

  --quick        fewer and shorter rounds: under a minute, and noisier
  --only=<id>    only rows whose id starts so, as --only=node. or --only=guard.refusal
  --json         one JSON array on stdout, progress on stderr`;

const ROUNDS = { full: 9, quick: 3 };

/** @type {import("../tests/support/sqld.mjs").Sqld | undefined} */
let server;

async function main() {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string", default: "" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return console.log(USAGE);
  const began = performance.now();
  /** @type {Plan} */
  const plan = {
    isQuick: values.quick,
    rounds: values.quick ? ROUNDS.quick : ROUNDS.full,
    wants: (id) => id.startsWith(values.only),
    say: (text) => console.error(`  ${((performance.now() - began) / 1_000).toFixed(0).padStart(4)} s  ${text}`),
    database: async () => {
      server ??= await startSqld();
      return server.url;
    },
  };
  await prepare();
  // Only now: the build may have installed what these import.
  const { measureClients } = await import("./groups/clients.mjs");
  const { measureGuards } = await import("./groups/guards.mjs");
  const { measureFlags } = await import("./groups/flags.mjs");
  const { measureOfrep } = await import("./groups/ofrep.mjs");
  const { measureHitRates } = await import("./groups/cache.mjs");
  const { measureHealth } = await import("./groups/health.mjs");
  const { measureKill } = await import("./groups/kill.mjs");
  const { measureColdStart, measureSize } = await import("./groups/core.mjs");
  const rows = [
    ...(await measureClients("node", plan)),
    ...(await measureClients("workerd", plan)),
    ...(await measureGuards(plan)),
    ...(await measureFlags(plan)),
    ...(await measureOfrep(plan)),
    ...(await measureHitRates(plan)),
    ...(await measureHealth(plan)),
    ...(await measureKill(plan)),
    ...measureSize(plan),
    ...(await measureColdStart(plan)),
  ];
  if (rows.length === 0) throw new Error(`no row has an id that starts with ${JSON.stringify(values.only)}`);
  console.log(values.json ? JSON.stringify(rows.map(jsonOf), null, 2) : tableOf(rows));
}

// Children leave when this process does; the server does not know about it.
for (const [signal, code] of /** @type {const} */ ([
  ["SIGINT", 130],
  ["SIGTERM", 143],
])) {
  process.once(signal, () => server?.stop().finally(() => process.exit(code)) ?? process.exit(code));
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await server?.stop();
}
