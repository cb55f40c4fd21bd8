// How long a kill order takes from the answer that it is done until another isolate has seen it, for each place that isolates
// look into. Whoever reads is asked again and again, as isolates are that have something to do; each looks once a second.
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { startRedis } from "../../tests/support/redis.mjs";
import { startRig } from "../../tests/support/rig.mjs";
import { median } from "../rounds.mjs";
import { flagsInDatabase, flagsInWorkers, flagsOn } from "./kill-flags.mjs";

/** @import { Plan } from "../run.mjs" */
/** @import { Row } from "../report.mjs" */

const RUNS = { full: 20, quick: 5 };
const TOKEN = "an-admin-token-of-a-benchmark-and-of-nothing-else";
const LIMIT_MS = 90_000;
/** Between two requests to whoever reads, in milliseconds. */
const PAUSE_MS = 10;

/**
 * One who writes orders, and one who sees them.
 *
 * @typedef {(path: string, init: RequestInit) => Promise<Response>} Write
 *
 * @typedef {{ write: Write, read: () => Promise<Response>, stop: () => Promise<unknown> }} Pair
 */

/** @type {Record<string, { title: string, start: (plan: Plan) => Promise<Pair> }>} */
const PLACES = {
  "kill.durable-object": { title: "kill seen, Durable Object", start: () => workers(false) },
  "kill.kv": { title: "kill seen, followers of KV", start: () => workers(true) },
  "kill.redis": { title: "kill seen, Redis", start: redis },
  "kill.libsql": { title: "kill seen, libSQL", start: libsql },
  "kill.file": { title: "kill seen, a folder", start: folder },
  "kill.flags.database": {
    title: "kill off in flags, next round trip to libSQL",
    start: (plan) => libsql(plan, "database"),
  },
  "kill.flags.durable-object": {
    title: "kill off in flags, Durable Object",
    start: () => flagsInWorkers(TOKEN, "durable-object"),
  },
  "kill.flags.redis": { title: "kill off in flags, Redis", start: () => redis(true) },
  "kill.flags.libsql": { title: "kill off in flags, libSQL looked into", start: (plan) => libsql(plan, "store") },
  "kill.flags.file": { title: "kill off in flags, a folder", start: () => folder(true) },
  "kill.flags.kv": {
    title: "kill off in flags, a local KV without its delay, a look a second",
    start: () => flagsInWorkers(TOKEN, "kv"),
  },
};

/** @param {Plan} plan @returns {Promise<Row[]>} */
export async function measureKill(plan) {
  /** @type {Row[]} */
  const rows = [];
  for (const [id, { title, start }] of Object.entries(PLACES)) {
    if (!plan.wants(id) && !plan.wants(`${id}.worst`)) continue;
    plan.say(title);
    const pair = await start(plan);
    try {
      /** @type {number[]} */
      const took = [];
      const runs = plan.isQuick ? RUNS.quick : RUNS.full;
      for (let run = 0; run < runs; run += 1) took.push(await once(pair));
      const row = {
        unit: /** @type {const} */ ("ms"),
        better: /** @type {const} */ ("less"),
        peer: null,
        peerName: null,
      };
      rows.push(
        { ...row, id, title: `${title}, median of ${runs}`, ours: median(took), cpu: null },
        { ...row, id: `${id}.worst`, title: `${title}, worst of ${runs}`, ours: Math.max(...took), cpu: null },
      );
    } finally {
      await pair.stop();
    }
  }
  return rows;
}

/** @param {Pair} pair @returns {Promise<number>} Milliseconds from the answer until it is seen. */
async function once({ write, read }) {
  // Not in step with the looks.
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 1_000));
  const response = await write("/admin/api/kill", {
    method: "POST",
    headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
    body: JSON.stringify({ reason: "a benchmark" }),
  });
  const began = performance.now();
  const order = /** @type {{ version: number }} */ (await response.json());
  if (response.status !== 200) throw new Error(`the kill switch answered ${response.status}`);
  while (performance.now() - began < LIMIT_MS) {
    const { orders } = /** @type {{ orders: Record<string, { version: number }> }} */ (await (await read()).json());
    if ((orders.kill?.version ?? 0) >= order.version) return performance.now() - began;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  throw new Error(`a kill order was not seen within ${LIMIT_MS} ms`);
}

/** Two Workers in workerd with one Durable Object and one KV. @param {boolean} isCached @returns {Promise<Pair>} */
async function workers(isCached) {
  /** @param {string} name */
  const built = (name) => readFileSync(new URL(`../../build/${name}`, import.meta.url));
  /** @type {import("../../tests/support/workerd.mjs").Module[]} */
  const modules = [
    { type: "ESModule", path: "index.js", contents: built("index.js").toString() },
    { type: "CompiledWasm", path: "index_bg.wasm", contents: new Uint8Array(built("index_bg.wasm")) },
  ];
  const rig = await startRig((url) => {
    const bindings = { TURSO_DATABASE_URL: url, SEAWALL_ADMIN_TOKEN: TOKEN };
    const own = { className: "SeawallStore", useSQLite: true };
    const kvNamespaces = { SEAWALL_KV: "orders" };
    return {
      writer: { modules, bindings, kvNamespaces, durableObjects: { SEAWALL_STORE: own } },
      reader: {
        modules,
        bindings: { ...bindings, SEAWALL_FOLLOW_CACHE: String(isCached) },
        kvNamespaces,
        durableObjects: { SEAWALL_STORE: { ...own, scriptName: "writer" } },
      },
    };
  });
  const read = () => rig.ask("reader", "/api/status");
  // The first look is at the Durable Object, also of one that follows KV.
  await read();
  return { write: (path, init) => rig.ask("writer", path, init), read, stop: rig.stop };
}

/** Two monitors in Node. @param {() => any} storeOf @param {() => Promise<unknown>} stop @returns {Promise<Pair>} */
async function monitors(storeOf, stop) {
  const { createMonitor } = await import("../../js/dist/monitor/index.js");
  const databases = { primary: { seawall: { status: () => ({}), healthCheck: async () => true } } };
  const [writer, reader] = [storeOf(), storeOf()].map((store) =>
    createMonitor({ databases, store, adminToken: TOKEN }),
  );
  /** @param {any} monitor @param {string} path @param {RequestInit} [init] */
  const ask = (monitor, path, init) => monitor.handle(new Request(`http://127.0.0.1${path}`, init));
  return {
    write: (path, init) => ask(writer, path, init),
    async read() {
      await reader?.tick();
      return Response.json({ orders: reader?.orders });
    },
    async stop() {
      writer?.close();
      reader?.close();
      await stop();
    },
  };
}

async function redis(isFlags = false) {
  const [{ Redis }, { strongRedisStore }] = [await import("ioredis"), await import("../../js/dist/store/redis.js")];
  const server = await startRedis();
  /** @type {import("ioredis").Redis[]} */
  const clients = [];
  const storeOf = () => {
    const client = new Redis(server.url).on("error", () => {});
    clients.push(client);
    return strongRedisStore(client);
  };
  const stop = async () => {
    for (const client of clients) client.disconnect();
    await server.stop();
  };
  return isFlags ? besides(storeOf, stop) : monitors(storeOf, stop);
}

/** Flags beside a monitor that writes. @param {() => any} storeOf @param {() => Promise<unknown>} stop @returns {Promise<Pair>} */
async function besides(storeOf, stop) {
  const { write, stop: end } = await monitors(storeOf, stop);
  return flagsOn(storeOf(), write, end);
}

/** @param {Plan} plan @param {"database" | "store"} [flags] */
async function libsql(plan, flags) {
  const { createClient } = await import("@libsql/client");
  const { strongLibsqlStore } = await import("../../js/dist/store/libsql.js");
  const url = await plan.database();
  const storeOf = () => strongLibsqlStore({ client: createClient({ url }) });
  const stop = async () => {};
  if (flags === "store") return besides(storeOf, stop);
  const pair = await monitors(storeOf, stop);
  return flags === "database" ? flagsInDatabase(url, pair.write) : pair;
}

async function folder(isFlags = false) {
  const { strongFileStore } = await import("../../js/dist/store/file.js");
  const texts = await mkdtemp(join(tmpdir(), "seawall-bench-"));
  const stop = () => rm(texts, { recursive: true, force: true });
  return (isFlags ? besides : monitors)(() => strongFileStore(texts), stop);
}
