// Flags beside their peers: the same 1,000 flags and 1,024 users for each, in a process of its own.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ENGINES } from "../flags/engines.mjs";
import { seawallDocument, users } from "../flags/workload.mjs";
import { BUNDLES, ROOT } from "../prepare.mjs";
import { hold } from "../rounds.mjs";
import { Child } from "../subjects/child.mjs";

/** @import { Plan } from "../run.mjs" */
/** @import { Row } from "../report.mjs" */

const BUDGET_MS = { full: 100, quick: 50 };
const OURS = "seawall";
const PEERS = Object.keys(ENGINES).filter((name) => name !== OURS);
/** Their full names. @type {Record<string, string>} */
const NAMES = {
  "unleash-client": "unleash-client",
  growthbook: "@growthbook/growthbook",
  "flagd-core": "@openfeature/flagd-core",
  openfeature: "@openfeature/server-sdk, in memory",
  floor: "no engine: the workload by hand",
};

/** Case, title, unit, and how many of the unit a millisecond has. */
const CASES = /** @type {const} */ ([
  ["boolean", "flag, 25 % of users, one request", "ns CPU", 1e6],
  ["complex", "flag, 3 conditions and a split", "ns CPU", 1e6],
  ["call", "flag, 25 % of users, context anew", "ns CPU", 1e6],
  ["bulk", "1,000 flags for one user", "us CPU", 1e3],
]);

/** In a process that has asked nothing yet. */
const COLD = /** @type {const} */ ([
  ["load", "1,000 flags, loaded cold"],
  ["cold", "1,000 flags, loaded cold, and one asked"],
]);

/** @param {Plan} plan @returns {Promise<Row[]>} */
export async function measureFlags(plan) {
  const cold = [];
  for (const [what, title] of COLD) cold.push(...(await measureCold(plan, what, title)));
  return [...(await measureWarm(plan)), ...cold, ...measureNative(plan)];
}

/** The row of each peer; the first one's has the goal. @param {string} what @param {string} peer */
const idOf = (what, peer) => (peer === PEERS[0] ? `flags.${what}` : `flags.${what}.${peer}`);

/** @param {Plan} plan @returns {Promise<Row[]>} */
async function measureWarm(plan) {
  const budgetMs = plan.isQuick ? BUDGET_MS.quick : BUDGET_MS.full;
  /** @type {Row[]} */
  const rows = [];
  for (const [what, title, unit, perMs] of CASES) {
    const peers = PEERS.filter((peer) => plan.wants(idOf(what, peer)));
    if (peers.length === 0) continue;
    const children = new Map([OURS, ...peers].map((name) => [name, new Child("flags.mjs", [name, what])]));
    try {
      const entrants = Object.fromEntries([...children].map(([name, child]) => [name, () => child.ask({ budgetMs })]));
      const scores = (
        await hold([{ id: what, entrants }], plan.rounds, (text) => plan.say(`flags ${what}: ${text}`))
      ).get(what);
      const cpu = (/** @type {string} */ name) => (scores?.[name]?.cpuMs ?? Number.NaN) * perMs;
      for (const peer of peers) {
        const peerName = NAMES[peer] ?? peer;
        rows.push({
          id: idOf(what, peer),
          title,
          unit,
          better: "less",
          ours: cpu(OURS),
          peer: cpu(peer),
          peerName,
          cpu: null,
        });
      }
    } finally {
      for (const child of children.values()) await child.end();
    }
  }
  return rows;
}

/** A process for each turn. @param {Plan} plan @param {string} what @param {string} title @returns {Promise<Row[]>} */
async function measureCold(plan, what, title) {
  const peers = PEERS.filter((peer) => plan.wants(idOf(what, peer)));
  if (peers.length === 0) return [];
  mkdirSync(BUNDLES, { recursive: true });
  /** @type {Record<string, () => Promise<import("../subjects/child.mjs").Turn>>} */
  const entrants = {};
  for (const name of [OURS, ...peers]) {
    const stored = await ENGINES[name]?.stored();
    const path = join(BUNDLES, `flags-${name}.${typeof stored === "string" ? "json" : "bin"}`);
    writeFileSync(path, stored ?? "");
    entrants[name] = async () => {
      const child = new Child("flags.mjs", [name, what], { STORED_FLAGS: path });
      try {
        return await child.ask({});
      } finally {
        await child.end();
      }
    };
  }
  const scores = (await hold([{ id: what, entrants }], plan.rounds, (text) => plan.say(`flags ${what}: ${text}`))).get(
    what,
  );
  const wall = (/** @type {string} */ name) => scores?.[name]?.wallMs ?? null;
  return peers.map((peer) => ({
    ...{ id: idOf(what, peer), title, unit: "ms", better: "less", ours: wall(OURS), peer: wall(peer) },
    ...{ peerName: NAMES[peer] ?? peer, cpu: null },
  }));
}

/** The engine without any boundary. @param {Plan} plan @returns {Row[]} */
function measureNative(plan) {
  const wanted = ["boolean", "complex", "load"].filter((what) => plan.wants(`flags.native.${what}`));
  if (wanted.length === 0) return [];
  plan.say("flags native: building");
  const build = ["build", "--release", "--quiet", "--bin", "flag-bench", "--features", "flag-bench"];
  if (spawnSync("cargo", build, { cwd: ROOT, stdio: ["ignore", 2, 2] }).status !== 0)
    throw new Error("the native program of flags was not built");
  mkdirSync(BUNDLES, { recursive: true });
  const given = join(BUNDLES, "flags-native.json");
  writeFileSync(given, JSON.stringify({ document: seawallDocument(), users }));
  const run = ["run", "--release", "--quiet", "--bin", "flag-bench", "--features", "flag-bench", "--", given];
  const { stdout, status } = spawnSync("cargo", run, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", 2] });
  if (status !== 0) throw new Error("the native program of flags failed");
  const found = /** @type {{ boolean: number, complex: number, loadMicros: number }} */ (JSON.parse(stdout));
  const none = { peer: null, peerName: null, cpu: null, better: /** @type {const} */ ("less") };
  /** @type {Row[]} */
  const rows = [
    { id: "flags.native.boolean", title: "native: flag, 25 % of users", unit: "ns", ours: found.boolean, ...none },
    { id: "flags.native.complex", title: "native: 3 conditions and a split", unit: "ns", ours: found.complex, ...none },
    { id: "flags.native.load", title: "native: snapshot of 1,000 flags", unit: "us", ours: found.loadMicros, ...none },
  ];
  return rows.filter(({ id }) => plan.wants(id));
}
