// Flags that live in the database that is asked anyway: a kill comes along with the next query, and nothing else is sent for it.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createClient } from "seawall";
import { createFlags } from "seawall/flags";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { strongLibsqlStore } from "../../js/src/store/libsql.ts";
import { type Sqld, startSqld } from "../support/sqld.mjs";
import { bundleProgram } from "./program.ts";

const run = promisify(execFile);
const TOKEN = "an-admin-token-of-a-test-and-of-nothing-else";
const on = { rules: [{ serve: "on" }] };
const documentOf = (revision: number) => ({ version: 1, revision, flags: { banner: on, limit: on } });

let server: Sqld;
let folder: string;

/** Another process that writes orders as operators do, by way of upstream's client. */
const PROGRAM = `
  import { createClient } from "@libsql/client/http";
  import { createMonitor } from "seawall/monitor";
  import { strongLibsqlStore } from "../../js/src/store/libsql.ts";
  const [url, method, path, body] = process.argv.slice(2);
  const databases = { primary: { seawall: { status: () => ({}), healthCheck: async () => true } } };
  const monitor = createMonitor({ databases, store: strongLibsqlStore({ client: createClient({ url }) }), adminToken: ${JSON.stringify(TOKEN)} });
  const headers = { authorization: "Bearer ${TOKEN}", "content-type": "application/json", "if-match": "*" };
  const { status } = await monitor.handle(new Request("http://127.0.0.1/admin/api/" + path, { method, headers, body }));
  process.exit(status === 200 ? 0 : 1);
`;

beforeAll(async () => {
  server = await startSqld();
  folder = await mkdtemp(join(tmpdir(), "seawall-flags-"));
  await bundleProgram(PROGRAM, join(folder, "operator.mjs"));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await server?.stop();
});

const order = (method: string, path: string, body: object) =>
  run(process.execPath, [
    join(folder, "operator.mjs"),
    server.url,
    method,
    path,
    JSON.stringify({ reason: "a test", ...body }),
  ]);
const flagsOrder = (revision: number) => order("PUT", "orders/flags", { value: documentOf(revision) });
const kill = (flags: string[]) => order("POST", "kill", { flags });
const release = () => order("POST", "kill/release", {});

/** An isolate whose requests are counted, and whose every request asks. */
function isolate(options = {}) {
  const bodies: { requests: { type: string; stmt?: { sql: string } }[] }[] = [];
  const fetch = async (request: Request) => {
    bodies.push(JSON.parse(await request.clone().text()));
    return globalThis.fetch(request);
  };
  const db = createClient({ url: server.url, fetch: fetch as never });
  const flags = createFlags({ database: db, env: {}, piggybackIntervalMs: 0, ...options });
  const ask = (key = "banner") => flags.for({}).boolean(key);
  return { db, flags, ask, bodies };
}

/** Waits for what happens behind a request. */
async function until(is: () => boolean): Promise<void> {
  while (!is()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe("flags in the database itself", { timeout: 30_000 }, () => {
  test("FLG-08: what another process has killed is off after the next query, and no request was sent for it", async () => {
    // Before the first order there is no table, and that is nobody's error.
    const { db, flags, ask, bodies } = isolate({ definitions: documentOf(1) });
    expect((await db.execute("SELECT 1 AS one")).rows[0]?.one).toBe(1);
    await flagsOrder(7);
    const other = isolate();
    bodies.length = 0;
    await other.db.execute("SELECT 1");
    // What is published is long: it is looked for behind the request that told of it, which happens once.
    await until(() => other.flags.revision === 7);
    expect(other.ask()).toBe(true);
    await other.db.execute("SELECT 1");
    other.bodies.length = 0;
    await kill(["banner"]);
    expect(other.ask()).toBe(true);
    const context = other.flags.for({});
    const pending = other.db.execute("SELECT 1 AS one");
    expect((await pending).rows[0]?.one).toBe(1);
    // It was there with the answer: nothing is awaited after it.
    expect([context.boolean("banner"), other.ask(), other.ask("limit")]).toStrictEqual([false, false, true]);
    expect(other.bodies.map(({ requests }) => requests.map(({ type }) => type))).toStrictEqual([
      ["execute", "execute", "close"],
    ]);
    expect(other.flags.following).toMatchObject({ versions: { flags: 1, kill: 1 }, problem: null });
    // A newer document comes along as well.
    await flagsOrder(8);
    await release();
    await other.db.execute("SELECT 1");
    expect(other.ask()).toBe(true);
    await until(() => other.flags.revision === 8);
    // Who was refused before the table was there asks again after a while; a look finds it at once.
    await flags.refresh();
    expect([flags.revision, ask()]).toStrictEqual([8, true]);
    for (const client of [other.db, db]) client.close();
  });

  test("transactions, batches and scripts are what they are without it", async () => {
    await flagsOrder(20);
    const { db, flags, ask } = isolate();
    await db.execute("CREATE TABLE IF NOT EXISTS people (id INTEGER PRIMARY KEY, name TEXT)");
    await until(() => flags.revision === 20);
    const transaction = await db.transaction("write");
    const written = await transaction.execute("INSERT INTO people (name) VALUES ('ada')");
    expect([written.rowsAffected, written.lastInsertRowid]).toStrictEqual([1, 1n]);
    expect((await transaction.execute("SELECT changes() AS n, last_insert_rowid() AS id")).rows[0]).toMatchObject({
      n: 1,
      id: 1,
    });
    await transaction.commit();
    const [, inserted, counted] = await db.batch(
      ["SELECT 1", "INSERT INTO people (name) VALUES ('bob')", "SELECT count(*) AS n FROM people"],
      "write",
    );
    expect([inserted?.rowsAffected, counted?.rows[0]?.n]).toStrictEqual([1, 2]);
    await expect(db.batch(["INSERT INTO people VALUES (1, 'again')", "SELECT 1"], "write")).rejects.toThrow("UNIQUE");
    await expect(db.execute("SELECT surname FROM people")).rejects.toThrow("no such column");
    await db.executeMultiple("INSERT INTO people (name) VALUES ('eve'); DELETE FROM people WHERE name = 'eve'");
    expect((await db.execute("SELECT count(*) AS n FROM people")).rows[0]?.n).toBe(2);
    // A writer that holds the lock keeps nobody from hearing of a kill.
    const locking = await db.transaction("write");
    await locking.execute("INSERT INTO people (name) VALUES ('carol')");
    await locking.rollback();
    await kill(["limit"]);
    await expect(db.execute("SELECT surname FROM people")).rejects.toThrow("no such column");
    expect([ask("limit"), ask()]).toStrictEqual([false, true]);
    await release();
    db.close();
  });

  test("flags of a table by another name are read in that one, and an order that nobody names is not taken", async () => {
    const db = createClient({ url: server.url });
    const store = strongLibsqlStore({ client: db, table: "other_orders" });
    const flags = createFlags({ database: db, store, env: {}, piggybackIntervalMs: 0, definitions: documentOf(1) });
    expect(await flags.ready()).toBe(true);
    const main = strongLibsqlStore({ client: db });
    const [head, text] = [await main.read("audit/head"), await main.read("orders/flags")];
    const killed = await main.read("orders/kill");
    await store.swap([
      { key: "audit/head", expected: null, text: head },
      { key: "orders/flags", expected: null, text },
      { key: "orders/kill", expected: null, text: killed },
    ]);
    await db.execute("SELECT 1");
    await until(() => flags.revision === 20);
    const forged = String(text).replace('"revision":20', '"revision":21');
    const seq = String(head).replace('"seq":', '"seq":1');
    const begun = createFlags({ database: db, store, env: {}, piggybackIntervalMs: 0, definitions: documentOf(1) });
    const refused: string[] = [];
    begun.on("refused", ({ error }) => refused.push(error.message));
    await store.swap([
      { key: "audit/head", expected: head, text: seq },
      { key: "orders/flags", expected: text, text: forged },
    ]);
    await db.execute("SELECT 1");
    await until(() => refused.length > 0);
    expect([begun.revision, flags.revision]).toStrictEqual([1, 20]);
    expect(refused).toStrictEqual([expect.stringContaining("an order is damaged")]);
    db.close();
  });
});

test("what a client has kept of earlier answers is no answer of its strong store", async () => {
  const db = createClient({ url: server.url, seawall: { queryCache: { enabled: true } } });
  const [store, beside] = [
    strongLibsqlStore({ client: db }),
    strongLibsqlStore({ client: createClient({ url: server.url }) }),
  ];
  expect(await store.read("kept")).toBeNull();
  await beside.swap([{ key: "kept", expected: null, text: "1" }]);
  expect(await store.read("kept")).toBe("1");
  db.close();
});
