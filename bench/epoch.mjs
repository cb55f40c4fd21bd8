// What the question for newer orders adds to a `SELECT 1`, through our client, against a real server: `node bench/epoch.mjs`.
//
// Variants take turns, one request each, so that whatever else the machine does meets all of them alike; each is compared with
// the plain request of its own turn. `plain again` is the noise. See docs/decisions/0039-flags-without-a-monitor.md.
import { parseArgs } from "node:util";
import { startSqld } from "../tests/support/sqld.mjs";
import { prepare } from "./prepare.mjs";
import { median } from "./rounds.mjs";

const { values } = parseArgs({
  options: {
    turns: { type: "string", default: "6000" },
    sql: { type: "string", default: "SELECT 1" },
    built: { type: "boolean" },
  },
});
const TURNS = Number(values.turns);
const WARM = Math.min(500, TURNS / 10);
const TOKEN = "an-admin-token-of-a-benchmark-and-of-nothing-else";

if (!values.built) await prepare();
const { createClient } = await import("../js/dist/index.js");
const { createFlags } = await import("../js/dist/flags/index.js");
const { createMonitor } = await import("../js/dist/monitor/index.js");
const { strongLibsqlStore } = await import("../js/dist/store/libsql.js");

const server = await startSqld();
try {
  await ordersIn(server.url);
  /** @type {Record<string, () => any>} */
  const makers = {
    plain: () => client(),
    "plain again": () => client(),
    "at most once in 100 ms": () => flagsOn(client(), {}),
    "at most once in 10 ms": () => flagsOn(client(), { piggybackIntervalMs: 10 }),
    "with each request": () => flagsOn(client(), { piggybackIntervalMs: 0 }),
    "with each, SELECT 1": () => riding(client(), "SELECT 1"),
    "with each, PRAGMA user_version": () => riding(client(), "PRAGMA user_version"),
    "with each, the whole head": () => riding(client(), "SELECT text FROM seawall_strong WHERE key = 'audit/head'"),
    "with each, a row of one number": () => riding(client(), "SELECT n FROM epoch"),
  };
  const names = Object.keys(makers);
  const clients = Object.fromEntries(names.map((name) => [name, makers[name]?.()]));
  /** @type {Record<string, number[]>} */
  const took = Object.fromEntries(names.map((name) => [name, []]));
  for (let turn = 0; turn < TURNS; turn += 1) {
    for (let i = 0; i < names.length; i += 1) {
      const name = /** @type {string} */ (names[(i + turn) % names.length]);
      const began = performance.now();
      await clients[name].execute(values.sql);
      took[name]?.push(performance.now() - began);
    }
  }
  const plain = took.plain ?? [];
  console.log(
    `${values.sql}: median ${median(plain.slice(WARM)).toFixed(4)} ms, mean ${mean(plain).toFixed(4)} ms, ${TURNS} turns\n`,
  );
  console.log(`${"".padEnd(34)}median of pairs      mean, without the slowest hundredth`);
  for (const name of names.slice(1)) {
    const own = took[name] ?? [];
    const pairs = own.map((ms, turn) => ms - (plain[turn] ?? 0)).slice(WARM);
    const share = (median(pairs) / median(plain.slice(WARM))) * 100;
    const means = (mean(own) / mean(plain) - 1) * 100;
    console.log(`${name.padEnd(34)}${share.toFixed(1).padStart(6)} %            ${means.toFixed(1).padStart(6)} %`);
  }
  await goOn();

  /** Alone, one after the other: what an isolate that asks all the time pays for one question in 100 ms. */
  async function goOn() {
    /** @type {Record<string, number[]>} */
    const alone = { plain: [], "plain again": [], "at most once in 100 ms": [], "with each request": [] };
    for (let round = 0; round < 40; round += 1) {
      for (const name of rotated(Object.keys(alone), round)) {
        const began = performance.now();
        for (let i = 0; i < 300; i += 1) await clients[name].execute(values.sql);
        alone[name]?.push((performance.now() - began) / 300);
      }
    }
    console.log("\nrows of 300 requests by one client, medians of 40:");
    const base = median(alone.plain ?? []);
    for (const [name, all] of Object.entries(alone)) {
      const share = (median(all) / base - 1) * 100;
      console.log(`${name.padEnd(34)}${median(all).toFixed(4)} ms ${share.toFixed(1).padStart(6)} %`);
    }
  }

  for (const one of Object.values(clients)) one.close();
} finally {
  await server.stop();
}

function client() {
  return createClient({ url: server.url });
}

/** @param {any} database @param {object} options */
function flagsOn(database, options) {
  createFlags({ database, env: {}, ...options });
  return database;
}

/** @param {any} database @param {string} sql */
function riding(database, sql) {
  database.seawall.piggyback(() => ({
    statement: sql,
    answered() {},
    failed: (/** @type {Error} */ error) => console.error(error.message),
  }));
  return database;
}

/** As an operator leaves it: a document of some size, a kill, and tables beside. @param {string} url */
async function ordersIn(url) {
  const database = createClient({ url });
  for (let i = 0; i < 20; i += 1) {
    await database.batch(
      [`CREATE TABLE t${i} (id INTEGER PRIMARY KEY, a TEXT)`, `CREATE INDEX i${i} ON t${i} (a)`],
      "write",
    );
  }
  await database.batch(["CREATE TABLE epoch (n INTEGER)", "INSERT INTO epoch VALUES (1)"], "write");
  const databases = { primary: { seawall: { status: () => ({}), healthCheck: async () => true } } };
  const monitor = createMonitor({ databases, store: strongLibsqlStore({ client: database }), adminToken: TOKEN });
  const flags = Object.fromEntries(
    Array.from({ length: 200 }, (_, at) => [`flag-${at}`, { rules: [{ rollout: 25, serve: "on" }] }]),
  );
  const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", "if-match": "*" };
  for (const [method, path, body] of /** @type {const} */ ([
    ["PUT", "orders/flags", { value: { version: 1, flags }, reason: "a benchmark" }],
    ["POST", "kill", { flags: ["flag-1"], reason: "a benchmark" }],
  ])) {
    const request = new Request(`http://127.0.0.1/admin/api/${path}`, { method, headers, body: JSON.stringify(body) });
    const { status } = await monitor.handle(request);
    if (status !== 200) throw new Error(`${path} answered ${status}`);
  }
  database.close();
}

/** @param {string[]} list @param {number} by */
function rotated(list, by) {
  return list.map((_, at) => /** @type {string} */ (list[(at + by) % list.length]));
}

/** Without the slowest hundredth. @param {number[]} all */
function mean(all) {
  const kept = all.slice(WARM).toSorted((a, b) => a - b);
  kept.length = Math.ceil(kept.length * 0.99);
  return kept.reduce((sum, one) => sum + one, 0) / kept.length;
}
