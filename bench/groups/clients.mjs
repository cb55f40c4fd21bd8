// Whole clients against one server, in Node or inside workerd: operations per second, and CPU for each.
import { join } from "node:path";
import { CASES, LEDGER_ROWS, SCHEMA } from "../cases.mjs";
import { BUNDLES } from "../prepare.mjs";
import { hold } from "../rounds.mjs";
import { Child } from "../subjects/child.mjs";

/** @import { Plan } from "../run.mjs" */
/** @import { Row } from "../report.mjs" */

/** Adapters in bench/clients and the packages behind them; ours first, then by the peers' row ids. */
const CLIENTS = { seawall: "seawall", libsql: "@libsql/client/web", serverless: "@tursodatabase/serverless" };
const PEERS = /** @type {const} */ (["libsql", "serverless"]);

const BUDGET_MS = { full: 300, quick: 120 };

/** @param {string} runtime @param {string} id @param {string} peer */
const rowId = (runtime, id, peer) => `${runtime}.${id}${peer === "libsql" ? "" : `.${peer}`}`;

/**
 * @param {"node" | "workerd"} runtime @param {Plan} plan
 * @returns {Promise<Row[]>}
 */
export async function measureClients(runtime, plan) {
  const cases = CASES.filter(({ id }) => PEERS.some((peer) => plan.wants(rowId(runtime, id, peer))));
  if (cases.length === 0) return [];
  const url = await plan.database();
  await run(url, SCHEMA);
  /** @type {Record<string, Child>} */
  const children = {};
  try {
    for (const name of Object.keys(CLIENTS)) children[name] = await start(runtime, name);
    for (const { id } of cases) await compare(children, url, id);
    const budgetMs = plan.isQuick ? BUDGET_MS.quick : BUDGET_MS.full;
    const contests = cases.map(({ id }) => ({
      id,
      entrants: Object.fromEntries(
        Object.entries(children).map(([name, child]) => [name, () => child.ask({ url, id, budgetMs })]),
      ),
    }));
    const scores = await hold(contests, plan.rounds, (text) => plan.say(`${runtime}: ${text}`));
    return cases.flatMap(({ id, title }) => {
      const score = scores.get(id);
      return PEERS.map((peer) => rowOf(rowId(runtime, id, peer), title, score?.seawall, score?.[peer], CLIENTS[peer]));
    });
  } finally {
    for (const child of Object.values(children)) await child.end();
  }
}

/**
 * @param {string} id @param {string} title
 * @param {import("../rounds.mjs").Score | undefined} ours @param {import("../rounds.mjs").Score | undefined} peer
 * @param {string} peerName
 * @returns {Row}
 */
function rowOf(id, title, ours, peer, peerName) {
  if (ours === undefined || peer === undefined) throw new Error(`${id} was not measured`);
  const cpu =
    ours.cpuMs === null || peer.cpuMs === null ? null : { ours: ours.cpuMs * 1_000, peer: peer.cpuMs * 1_000 };
  return {
    id,
    title,
    unit: "op/s",
    better: "more",
    ours: 1_000 / ours.wallMs,
    peer: 1_000 / peer.wallMs,
    peerName,
    cpu,
  };
}

/** @param {"node" | "workerd"} runtime @param {string} name */
async function start(runtime, name) {
  if (runtime === "node") return new Child("node.mjs", [name]);
  const { bundleWorker } = await import("../workers/bundle.mjs");
  const folder = join(BUNDLES, `worker-${name}`);
  await bundleWorker("client.mjs", folder, name);
  return new Child("workerd.mjs", [name, folder]);
}

/**
 * Has every client run a case once, and compares what they return and what they leave behind.
 *
 * @param {Record<string, Child>} children @param {string} url @param {string} id
 * @throws {Error} When one differs: numbers about different work would mean nothing.
 */
async function compare(children, url, id) {
  /** @type {string | undefined} */
  let first;
  for (const [name, child] of Object.entries(children)) {
    const before = await ledgerRows(url);
    const answer = await child.ask({ url, id });
    first ??= answer;
    if (answer !== first) {
      throw new Error(`${id}: ${name} returned another result\n${answer.slice(0, 400)}\nthan\n${first?.slice(0, 400)}`);
    }
    const added = (await ledgerRows(url)) - before;
    const expected = LEDGER_ROWS[/** @type {keyof typeof LEDGER_ROWS} */ (id)] ?? 0;
    if (added !== expected) throw new Error(`${id}: ${name} left ${added} rows behind instead of ${expected}`);
  }
}

/** @param {string} url */
async function ledgerRows(url) {
  const [result] = await run(url, ["SELECT count(*) FROM ledger"]);
  return Number(result?.rows[0]?.[0]?.value);
}

/**
 * Runs statements without any of the clients.
 *
 * @param {string} url @param {readonly string[]} statements
 * @returns {Promise<{ rows: { value: string }[][] }[]>}
 */
async function run(url, statements) {
  const requests = [...statements.map((sql) => ({ type: "execute", stmt: { sql } })), { type: "close" }];
  const response = await fetch(`${url}/v2/pipeline`, { method: "POST", body: JSON.stringify({ requests }) });
  const { results } = await response.json();
  return results.slice(0, -1).map((/** @type {any} */ result) => {
    if (result.type !== "ok") throw new Error(result.error.message);
    return result.response.result;
  });
}
