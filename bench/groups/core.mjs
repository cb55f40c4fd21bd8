// What the core costs before it does anything: bytes to ship, and time until a cold isolate has answered once.
import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { BUNDLES, ROOT } from "../prepare.mjs";
import { hold } from "../rounds.mjs";
import { cpuMsOf } from "../subjects/processes.mjs";

/** @import { Plan } from "../run.mjs" */
/** @import { Row } from "../report.mjs" */

/** A start takes some 30 ms, so that this many for each round cost little. */
const STARTS_PER_ROUND = { full: 3, quick: 2 };
const START_LIMIT_MS = 10_000;

/** @param {Plan} plan @returns {Row[]} */
export function measureSize(plan) {
  const id = "size.core-gzip";
  if (!plan.wants(id)) return [];
  const wasm = readFileSync(join(ROOT, "js/dist/core.wasm"));
  const ours = gzipSync(wasm, { level: 9 }).length;
  return [{ id, title: "core wasm, gzip", unit: "bytes", better: "less", ours, peer: null, peerName: null, cpu: null }];
}

/** @param {Plan} plan @returns {Promise<Row[]>} */
export async function measureColdStart(plan) {
  const id = "cold.first-answer";
  if (!plan.wants(id)) return [];
  const url = await plan.database();
  const { COMPATIBILITY_DATE, bundleWorker } = await import("../workers/bundle.mjs");
  /** @type {Record<string, () => Promise<import("../subjects/child.mjs").Turn>>} */
  const entrants = {};
  for (const name of ["seawall", "plain"]) {
    const folder = join(BUNDLES, `cold-${name}`);
    await bundleWorker(`cold-${name}.mjs`, folder);
    writeFileSync(join(folder, "config.capnp"), configFor(folder, COMPATIBILITY_DATE));
    entrants[name] = () => startOnce(folder, url);
  }
  const rounds = plan.rounds * (plan.isQuick ? STARTS_PER_ROUND.quick : STARTS_PER_ROUND.full);
  const score = (await hold([{ id, entrants }], rounds, (text) => plan.say(`cold start: ${text}`))).get(id);
  const { seawall, plain } = /** @type {Record<string, import("../rounds.mjs").Score>} */ (score);
  if (seawall === undefined || plain === undefined) throw new Error(`${id} was not measured`);
  const cpu =
    seawall.cpuMs === null || plain.cpuMs === null ? null : { ours: seawall.cpuMs * 1_000, peer: plain.cpuMs * 1_000 };
  const peerName = "fetch alone";
  const title = "workerd, from start to first answer";
  return [{ id, title, unit: "ms", better: "less", ours: seawall.wallMs, peer: plain.wallMs, peerName, cpu }];
}

/** @param {string} folder @param {string} compatibilityDate */
function configFor(folder, compatibilityDate) {
  const core = existsSync(join(folder, "core.wasm")) ? ', (name = "core.wasm", wasm = embed "core.wasm")' : "";
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "worker.js", esModule = embed "worker.js")${core}],
      compatibilityDate = "${compatibilityDate}"
    )),
    (name = "internet", network = (allow = ["private", "public"]))
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]
);
`;
}

/**
 * Starts workerd, asks once, ends it.
 *
 * @param {string} folder @param {string} url
 * @returns {Promise<import("../subjects/child.mjs").Turn>}
 */
async function startOnce(folder, url) {
  const require = createRequire(createRequire(import.meta.url).resolve("miniflare"));
  const binary = require("workerd").default;
  const began = performance.now();
  // It tells the port that it found on a file descriptor of our choice.
  const child = spawn(binary, ["serve", join(folder, "config.capnp"), "--control-fd=3"], {
    stdio: ["ignore", "ignore", "pipe", "pipe"],
  });
  let log = "";
  child.stderr?.on("data", (chunk) => {
    log = (log + chunk).slice(-2_000);
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  try {
    const port = await new Promise((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error("workerd did not start in time")), START_LIMIT_MS);
      child.once("exit", () => reject(new Error(`workerd ended while starting:\n${log}`)));
      child.once("error", reject);
      child.stdio[3]?.once("data", (chunk) => {
        clearTimeout(limit);
        resolve(JSON.parse(String(chunk).split("\n", 1)[0] ?? "").port);
      });
    });
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { "x-database": url } });
    const text = await response.text();
    const wallMs = performance.now() - began;
    const cpuMs = cpuMsOf(/** @type {number} */ (child.pid));
    if (text !== "1") throw new Error(`a cold Worker answered ${text.slice(0, 400)}\n${log}`);
    return { runs: 1, wallMs, cpuMs };
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
}
