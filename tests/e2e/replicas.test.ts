// Who sees their own writes where a replica answers, and what is left of it when the primary is gone. On a real primary
// and a real replica.
import { join } from "node:path";
import { createClient } from "seawall";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { countStale, ourPair, ours, plainPair, prepareOwnWrites } from "../support/read-your-writes.mjs";
import { pipeline, startReplicas } from "../support/replicas.mjs";
import { bundleWorker } from "../support/workerd.mjs";
import { type Rig, startRig } from "./rig.ts";

const PAIRS = 100;
const ROUNDS_MAX = 20;
const COUNT = "SELECT count(*) AS n FROM notes";
/** How long a read may wait for a replica, in the tests that make it wait. */
const WAIT_MS = 200;
const WRITE_LIMIT_MS = 700;

let servers: Awaited<ReturnType<typeof startReplicas>>;

beforeAll(async () => {
  servers = await startReplicas();
  await prepareOwnWrites(servers);
  await pipeline(servers.primary.url, "CREATE TABLE notes (n INTEGER)");
  await pipeline(servers.primary.url, "INSERT INTO own_writes VALUES (1, 0)");
  await servers.caughtUp();
});

afterAll(() => servers?.stop());

async function failure(promise: Promise<unknown>): Promise<{ code?: string; outcome?: string }> {
  return promise.then(
    () => ({}),
    (error) => error,
  );
}

describe("a read right after a write", () => {
  it("on a replica sees the write, where that of the plain client often does not", async () => {
    for (const writeUrl of [servers.primary.url, servers.replica.url]) {
      // A replica that happens to be quick shows no difference: then once more.
      let plainStale = 0;
      for (let round = 0; round < ROUNDS_MAX && plainStale === 0; round += 1) {
        const subjects = [plainPair(writeUrl, servers.replica.url), ourPair(writeUrl, servers.replica.url)];
        const [plain, own] = await countStale(subjects, PAIRS);
        expect(own?.stale).toBe(0);
        plainStale += plain?.stale ?? 0;
      }
      expect(plainStale).toBeGreaterThan(0);
    }
  }, 60_000);

  it("sees what batches, scripts, migrations and transactions wrote, and is seen by all kinds of reads", async () => {
    const db = ours(servers.replica.url);
    const insert = "INSERT INTO notes VALUES (1)";
    const writes: [string, () => Promise<unknown>][] = [
      ["execute", () => db.execute(insert)],
      ["batch", () => db.batch([insert], "write")],
      ["deferred batch", () => db.batch([insert])],
      ["migrate", () => db.migrate([insert])],
      ["executeMultiple", () => db.executeMultiple(`${insert}; SELECT 1;`)],
      ...(["write", "deferred"] as const).map((mode): [string, () => Promise<unknown>] => [
        `${mode} transaction`,
        async () => {
          const transaction = await db.transaction(mode);
          await transaction.execute(insert);
          await transaction.commit();
        },
      ]),
    ];
    const reads: [string, () => Promise<unknown>][] = [
      ["execute", async () => (await db.execute(COUNT)).rows[0]?.n],
      ["read batch", async () => (await db.batch([COUNT], "read"))[0]?.rows[0]?.n],
      ["deferred batch", async () => (await db.batch([COUNT]))[0]?.rows[0]?.n],
      ...(["read", "deferred", "write"] as const).map((mode): [string, () => Promise<unknown>] => [
        `${mode} transaction`,
        async () => {
          const transaction = await db.transaction(mode);
          const { rows } = await transaction.execute(COUNT);
          await transaction.rollback();
          return rows[0]?.n;
        },
      ]),
    ];
    let written = 0;
    for (const [how, write] of writes) {
      for (const [where, read] of reads) {
        await write();
        written += 1;
        expect(await read(), `${how}, then ${where}`).toBe(written);
      }
    }
    expect(db.seawall.status().consistency).toMatchObject({ supported: true, stale: 0, timeouts: 0, restarts: 0 });
    db.close();
  });
});

describe("in workerd", () => {
  let rig: Rig;

  beforeAll(async () => {
    const modules = await bundleWorker(join(import.meta.dirname, "workers/own-writes.ts"));
    const worker = (url: string, consistency = {}) => ({
      modules,
      bindings: { DATABASE_URL: url, CONSISTENCY: consistency },
    });
    rig = await startRig(() => ({
      writer: worker(servers.primary.url),
      reader: worker(servers.replica.url),
      alone: worker(servers.replica.url),
    }));
  });

  afterAll(() => rig?.stop());

  const ask = async (worker: string, path: string, cookie = "") =>
    (await (await rig.ask(worker, path, { headers: { cookie } })).json()) as Record<string, unknown>;

  it("the requests of one isolate see what another of its requests wrote", async () => {
    for (let value = 1; value <= 40; value++) {
      await ask("alone", `/write?value=${value}`);
      expect(await ask("alone", "/read")).toEqual({ value, stale: false });
    }
  });

  it("a token in a cookie carries it to another isolate, which without one often reads what was before", async () => {
    let stale = 0;
    for (let value = 1_001; value <= 1_060; value++) {
      const { token } = await ask("writer", `/write?value=${value}`);
      if ((await ask("reader", "/read")).value !== value) stale += 1;
      expect(await ask("reader", "/read", `a=b; seen=${token}`)).toEqual({ value, stale: false });
    }
    expect(stale).toBeGreaterThan(0);
    expect(await ask("reader", "/read", "seen=garbled")).toEqual({ code: "CONSISTENCY_TOKEN_INVALID" });
    expect(await ask("reader", "/state")).toMatchObject({ floor: null, stale: 0 });
  });

  it("a burst of reads that all wait for a lagging replica ends, and leaves the isolate in good health", async () => {
    servers.replica.link.hold();
    const { token } = await ask("writer", "/write?value=7777");
    const burst = Array.from({ length: 30 }, () => ask("reader", "/read", `seen=${token}`));
    servers.replica.link.release();
    for (const answer of await Promise.all(burst)) expect(answer).toEqual({ value: 7777, stale: false });
    expect(await ask("reader", "/read", `seen=${token}`)).toEqual({ value: 7777, stale: false });
  });
});

describe("a replica that does not catch up", () => {
  it("is waited for no longer than is set, and what it then says is marked", async () => {
    const writer = ours(servers.primary.url);
    const reader = ours(servers.replica.url, { consistency: { waitTimeout: WAIT_MS } });
    const strict = ours(servers.replica.url, { consistency: { waitTimeout: WAIT_MS, onTimeout: "error" } });
    const before = (await reader.execute(COUNT)).rows[0]?.n as number;
    servers.replica.link.hold();
    await writer.execute("INSERT INTO notes VALUES (2)");
    const seawall = { consistencyToken: writer.seawall.consistencyToken() };
    const late = await reader.execute({ sql: COUNT, seawall });
    expect([late.rows[0]?.n, late.seawall]).toEqual([before, { stale: true }]);
    for (const mode of ["read", "deferred"] as const) {
      expect((await reader.batch([COUNT], mode, seawall))[0]?.seawall).toEqual({ stale: true });
    }
    expect(await failure(strict.execute({ sql: COUNT, seawall }))).toMatchObject({
      code: "REPLICA_BEHIND",
      outcome: "not_executed",
    });
    servers.replica.link.release();
    await servers.caughtUp();
    const fresh = await reader.execute({ sql: COUNT, seawall });
    expect([fresh.rows[0]?.n, fresh.seawall]).toEqual([before + 1, undefined]);
    for (const client of [writer, reader, strict]) client.close();
  });
});

// Last, because the primary is killed.
describe("when the primary is gone", () => {
  it("reads go on, and each write ends by its deadline; after its return all is as before", async () => {
    const reader = ours(servers.replica.url, { consistency: { waitTimeout: WAIT_MS } });
    // Of its own, because writes that end so open its circuit, and an open circuit refuses reads as well.
    const writer = ours(servers.replica.url);
    await reader.execute("INSERT INTO notes VALUES (3)");
    await servers.caughtUp();
    const count = (await reader.execute(COUNT)).rows[0]?.n as number;
    servers.replica.link.hold();
    await servers.primary.kill();

    const seawall = { timeout: WRITE_LIMIT_MS };
    expect((await reader.execute(COUNT)).rows[0]?.n).toBe(count);
    const writing = failure(writer.execute({ sql: "INSERT INTO notes VALUES (4)", seawall }));
    expect(await writing).toMatchObject({ code: "DEADLINE_EXCEEDED", outcome: "unknown" });
    const batching = failure(writer.batch(["INSERT INTO notes VALUES (4)"], "write", seawall));
    expect(await batching).toMatchObject({ code: "DEADLINE_EXCEEDED", outcome: "unknown" });
    const transaction = await writer.transaction("write", seawall);
    // Rolled back with its stream, so this one is known.
    expect(await failure(transaction.execute("INSERT INTO notes VALUES (4)"))).toMatchObject({
      code: "DEADLINE_EXCEEDED",
      outcome: "not_executed",
    });
    // The server passes every interactive transaction on to the primary, one that only reads too.
    const reading = await reader.transaction("read", seawall);
    expect(await failure(reading.execute(COUNT))).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect((await reader.batch([COUNT], "read"))[0]?.rows[0]?.n).toBe(count);
    const future = await futureToken();
    const read = await reader.execute({ sql: COUNT, seawall: { consistencyToken: future } });
    expect([read.rows[0]?.n, read.seawall]).toEqual([count, { stale: true }]);
    expect((await reader.execute(COUNT)).rows[0]?.n).toBe(count);

    await servers.primary.start();
    servers.replica.link.release();
    await servers.caughtUp();
    // The log of a primary that was killed begins anew: what was asked for before is nowhere to be found.
    const recovered = ours(servers.replica.url);
    await recovered.execute("INSERT INTO notes VALUES (5)");
    expect((await recovered.execute(COUNT)).seawall).toBeUndefined();
    await reader.execute("INSERT INTO notes VALUES (5)");
    expect(reader.seawall.status().consistency.restarts).toBeGreaterThan(0);
    const last = await reader.execute(COUNT);
    expect([last.rows[0]?.n, last.seawall]).toEqual([count + 2, undefined]);
    for (const client of [reader, writer, recovered]) client.close();
  });
});

/** A token of this database for an index that no log has come to. */
async function futureToken(): Promise<string> {
  const ahead = {
    cols: [],
    rows: [],
    affected_row_count: 0,
    last_insert_rowid: null,
    replication_index: "18446744073709551615",
  };
  const client = createClient({
    url: "http://database.example",
    fetch: async () =>
      Response.json({
        baton: null,
        base_url: null,
        results: [
          { type: "ok", response: { type: "execute", result: ahead } },
          { type: "ok", response: { type: "close" } },
        ],
      }),
    seawall: { consistency: { database: "own-writes" } },
  });
  await client.execute("INSERT INTO notes VALUES (0)");
  client.close();
  return client.seawall.consistencyToken() as string;
}
