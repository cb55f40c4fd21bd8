import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { InValue } from "../src/api.ts";
import type { SeawallClient } from "../src/client.ts";
import { FakeDatabase, hold, letGo, openClient, versionOf } from "./fake-database.ts";

const SELECT = "SELECT * FROM t WHERE id = ?";
let database: FakeDatabase;
let pass: (ms: number) => void;

beforeEach(() => {
  database = new FakeDatabase();
  pass = hold();
});
afterEach(letGo);

describe("a result that is kept", () => {
  test("QC-01, QC-04: it is served for 300 s, and from then on asked for again", async () => {
    const db = openClient(database, { enabled: true });
    await db.execute(SELECT, [1]);
    pass(300_000);
    await db.execute(SELECT, [1]);
    expect(database.reads).toBe(1);
    pass(1);
    await db.execute(SELECT, [1]);
    expect(database.reads).toBe(2);
    expect(db.seawall.cache.stats()).toMatchObject({ hits: 1, misses: 2, loads: 2, entries: 1, evictions: 0 });
  });

  test("QC-02: nothing is kept unless the switch is on, or a read asks for it", async () => {
    for (const off of [undefined, {}, { enabled: false }]) {
      const db = openClient(database, off);
      await db.execute(SELECT, [1]);
      await db.execute(SELECT, [1]);
      expect(db.seawall.cache.stats()).toMatchObject({ hits: 0, misses: 0, entries: 0 });
    }
    expect(database.reads).toBe(6);
    const db = openClient(database, undefined);
    const own = { sql: SELECT, args: [1], seawall: { cache: {} } };
    await db.execute(own);
    await db.execute(own);
    await db.execute(SELECT, [1]);
    expect(database.reads).toBe(8);
    expect(db.seawall.cache.stats()).toMatchObject({ hits: 1, misses: 1 });
  });

  test("QC-03: entries and bytes never exceed their bounds, and the least recently used goes first", async () => {
    const db = openClient(database, { enabled: true, maxSize: 3 });
    for (const id of [1, 2, 3, 1, 4]) await db.execute(SELECT, [id]);
    expect(db.seawall.cache.stats()).toMatchObject({ entries: 3, evictions: 1 });
    const before = database.reads;
    for (const id of [1, 3, 4]) await db.execute(SELECT, [id]);
    expect(database.reads).toBe(before);
    await db.execute(SELECT, [2]);
    expect(database.reads).toBe(before + 1);
    const { bytes } = db.seawall.cache.stats();
    const small = openClient(database, { enabled: true, maxBytes: Math.floor((bytes / 3) * 2.5) });
    for (let id = 0; id < 20; id += 1) await small.execute(SELECT, [id]);
    expect(small.seawall.cache.stats()).toMatchObject({ entries: 2, evictions: 18 });
    const none = openClient(database, { enabled: true, maxSize: 0 });
    await none.execute(SELECT, [1]);
    await none.execute(SELECT, [1]);
    expect(none.seawall.cache.stats()).toMatchObject({ entries: 0, hits: 0, misses: 2 });
  });

  test("is nobody's but its caller's: what one does to his rows, another does not see", async () => {
    const db = openClient(database, { enabled: true });
    const first = await db.execute(SELECT, [1]);
    const second = await db.execute(SELECT, [1]);
    expect(second).toStrictEqual(first);
    expect(second.toJSON()).toEqual(first.toJSON());
    for (const result of [first, second]) {
      (result.rows[0] as unknown as { version: number }).version = 99;
      new Uint8Array(result.rows[0]?.bytes as ArrayBuffer)[0] = 99;
      result.rows.push({} as never);
      result.columns[0] = "other";
    }
    const third = await db.execute(SELECT, [1]);
    expect([versionOf(third), third.rows.length, third.columns[0]]).toEqual([1, 1, "version"]);
    expect(new Uint8Array(third.rows[0]?.bytes as ArrayBuffer)).toEqual(new Uint8Array([1, 2, 3]));
    expect(third.rows[0]?.[0]).toBe(1);
    expect(third.seawall).toBeUndefined();
  });

  test("keys tell types, blobs, names and times apart", async () => {
    const db = openClient(database, { enabled: true });
    const bytes = (...values: number[]) => new Uint8Array(values);
    const lists: InValue[][] = [
      [],
      [1],
      [1n],
      ["1"],
      [true],
      [null],
      [bytes(1)],
      [bytes(2)],
      [new Date(5)],
      [1, 2],
      ["1", "2"],
      ["12"],
      ["1s1:2", ""],
      [bytes(1), bytes(2)],
    ];
    const named = [{ a: 1 }, { b: 1 }, { a: "1" }, { a: 1, b: 1 }];
    const all = [...lists, ...named];
    for (const args of all) await db.execute("SELECT ?", args);
    expect(database.reads).toBe(all.length);
    for (const args of all) {
      const [again, plain] = [
        await db.execute("SELECT ?", args),
        JSON.stringify(args, (_, v) => (typeof v === "bigint" ? `${v}n` : v)),
      ];
      expect(again.rows[0]?.args, plain).toBeDefined();
    }
    expect(database.reads).toBe(all.length);
    expect(
      new Set((await Promise.all(lists.map((args) => db.execute("SELECT ?", args)))).map((r) => r.rows[0]?.args)).size,
    ).toBe(
      // The server is sent the same for true and 1n.
      lists.length - 1,
    );
    for (const cache of [{ key: "a" }, { key: "b" }, { ttl: 5 }, { swr: 5 }]) {
      await db.execute({ sql: "SELECT ?", args: [1], seawall: { cache } });
      await db.execute({ sql: "SELECT ?", args: [1], seawall: { cache } });
    }
    expect(database.reads).toBe(all.length + 4);
    await expect(db.execute("SELECT ?", [Number.NaN])).rejects.toThrow(RangeError);
    await expect(db.execute("SELECT ?", [undefined as never])).rejects.toThrow(TypeError);
  });

  test("a read may ask for other times, and for none", async () => {
    const db = openClient(database, { enabled: true });
    const short = { sql: SELECT, args: [1], seawall: { cache: { ttl: 10 } } };
    await db.execute(short);
    pass(11);
    await db.execute(short);
    expect(database.reads).toBe(2);
    const never = { sql: SELECT, args: [1], seawall: { cache: false as const } };
    await db.execute(never);
    await db.execute(never);
    expect(database.reads).toBe(4);
  });

  test("a closed client serves nothing, and one that was opened again begins with nothing", async () => {
    const db = openClient(database, { enabled: true });
    await db.execute(SELECT, [1]);
    db.close();
    await expect(db.execute(SELECT, [1])).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
    await db.reconnect();
    await db.execute(SELECT, [1]);
    expect(database.reads).toBe(2);
  });
});

describe("what is not kept", () => {
  test("QC-08: writes, scripts, batches, transactions and SQL that gives another answer each time", async () => {
    const db = openClient(database, { enabled: true });
    const twice = async (what: () => Promise<unknown>) => {
      const before = database.asked.length;
      await what();
      const once = database.asked.length - before;
      await what();
      expect(database.asked.length - before).toBe(2 * once);
    };
    for (const sql of [
      "INSERT INTO t VALUES (1) RETURNING *",
      "PRAGMA user_version",
      "SELECT random()",
      "SELECT datetime('now')",
      "SELECT CURRENT_TIMESTAMP",
      "SELECT last_insert_rowid()",
      "SELECT 1; SELECT 2",
    ]) {
      await twice(() => db.execute({ sql, seawall: { cache: {} } }));
    }
    await twice(() => db.batch(["SELECT 1"], "read"));
    await twice(async () => {
      const transaction = await db.transaction("read");
      await transaction.execute("SELECT 1");
      await transaction.commit();
    });
    expect(db.seawall.cache.stats()).toMatchObject({ entries: 0, hits: 0 });
  });

  test("an error is shared by those who wait, and not remembered", async () => {
    const db = openClient(database, { enabled: true });
    database.mode = { kind: "refuses" };
    const both = await Promise.allSettled([db.execute(SELECT, [1]), db.execute(SELECT, [1])]);
    expect(both.map((one) => (one as PromiseRejectedResult).reason.code)).toEqual(["SQLITE_ERROR", "SQLITE_ERROR"]);
    expect(database.reads).toBe(1);
    database.mode = { kind: "up" };
    await db.execute(SELECT, [1]);
    expect(database.reads).toBe(2);
  });
});

describe("own writes", () => {
  const writes: [string, (db: SeawallClient) => Promise<unknown>][] = [
    ["execute", (db) => db.execute("INSERT INTO t VALUES (1)")],
    ["execute of something unknown", (db) => db.execute("PRAGMA user_version = 2")],
    ["DDL", (db) => db.execute("DROP TABLE t")],
    ["batch", (db) => db.batch(["SELECT 1", "INSERT INTO t VALUES (1)"], "write")],
    ["migrate", (db) => db.migrate(["INSERT INTO t VALUES (1)"])],
    ["executeMultiple", (db) => db.executeMultiple("INSERT INTO t VALUES (1)")],
    [
      "a transaction",
      async (db) => {
        const transaction = await db.transaction("write");
        await transaction.execute("INSERT INTO t VALUES (1)");
        await transaction.commit();
      },
    ],
    [
      "a script in a transaction",
      async (db) => {
        const transaction = await db.transaction("deferred");
        await transaction.executeMultiple("INSERT INTO t VALUES (1)");
        await transaction.commit();
      },
    ],
  ];

  test.each(writes)("QC-08: %s makes what was read before old", async (_, write) => {
    const db = openClient(database, { enabled: true });
    await db.execute(SELECT, [1]);
    await write(db);
    const reads = database.reads;
    await db.execute(SELECT, [1]);
    expect(database.reads).toBe(reads + 1);
  });

  test("QC-08: a read that a write overtook is not kept, and who asks later does not share it", async () => {
    const db = openClient(database, { enabled: true });
    let release = () => {};
    database.mode = { kind: "held", until: new Promise((resolve) => (release = resolve)) };
    const old = db.execute(SELECT, [1]);
    await until(() => database.reads === 1);
    database.mode = { kind: "up" };
    await db.execute("INSERT INTO t VALUES (1)");
    const after = await db.execute(SELECT, [1]);
    release();
    expect([versionOf(await old), versionOf(after)]).toEqual([1, 2]);
    expect(versionOf(await db.execute(SELECT, [1]))).toBe(2);
    expect(database.reads).toBe(2);
  });

  test("a write that was refused unsent leaves what is kept", async () => {
    const db = openClient(database, { enabled: true });
    await db.execute(SELECT, [1]);
    db.seawall.circuitBreaker.forceState("OPEN");
    await expect(db.execute("INSERT INTO t VALUES (1)")).rejects.toMatchObject({ code: "CIRCUIT_OPEN" });
    expect(versionOf(await db.execute(SELECT, [1]))).toBe(1);
    expect(database.asked.length).toBe(1);
  });

  test("a write with an unknown outcome makes it old, and nothing is kept until it must have ended", async () => {
    const db = openClient(database, { enabled: true }, { timeouts: { transaction: 20_000, batchInsert: 20_000 } });
    await db.execute(SELECT, [1]);
    database.mode = { kind: "down" };
    await expect(db.execute("INSERT INTO t VALUES (1)")).rejects.toBeDefined();
    database.mode = { kind: "up" };
    const reads = database.reads;
    await db.execute(SELECT, [1]);
    await db.execute(SELECT, [1]);
    expect(database.reads).toBe(reads + 2);
    pass(20_001);
    await db.execute(SELECT, [1]);
    await db.execute(SELECT, [1]);
    expect(database.reads).toBe(reads + 3);
  });

  test("QC-08: a write drops what was read from its own tables, and nothing else", async () => {
    const db = openClient(database, { enabled: true, related: [["orders", "totals"]] });
    const [users, orders] = ["SELECT * FROM Users", "SELECT * FROM orders AS o JOIN items"];
    const [totals, both] = ["SELECT * FROM totals", "SELECT * FROM users, orders"];
    const all = [users, orders, totals, both];
    const readAgain = async () => {
      const before = database.asked.length;
      for (const sql of all) await db.execute(sql);
      return database.asked.slice(before);
    };
    await readAgain();
    expect(await readAgain()).toEqual([]);
    await db.execute("INSERT INTO users VALUES (1)");
    expect(await readAgain()).toEqual([users, both]);
    await db.batch(["DELETE FROM items", "SELECT * FROM users"], "write");
    expect(await readAgain()).toEqual([orders]);
    await db.execute({ sql: "UPDATE orders SET a = 1", seawall: { cache: false } });
    expect(await readAgain()).toEqual([orders, totals, both]);
    const transaction = await db.transaction("write");
    await transaction.execute("SELECT * FROM orders");
    await transaction.execute("INSERT INTO other SELECT * FROM orders");
    await transaction.commit();
    expect(await readAgain()).toEqual([]);
    db.seawall.cache.invalidate("USERS");
    expect(await readAgain()).toEqual([users, both]);
    await db.execute("DROP VIEW totals");
    expect(await readAgain()).toEqual(all);
    expect(() => openClient(database, { related: "orders" as never })).toThrow(/queryCache.related/);
  });

  test("the hand forgets tables, or everything", async () => {
    const db = openClient(database, { enabled: true });
    for (const forget of [
      () => db.seawall.cache.invalidate("t"),
      () => db.seawall.cache.invalidate("all"),
      () => db.seawall.cache.clear(),
    ]) {
      await db.execute(SELECT, [1]);
      expect(db.seawall.cache.stats().entries).toBe(1);
      forget();
      expect(db.seawall.cache.stats()).toMatchObject({ entries: 0, bytes: 0 });
    }
  });
});

describe("old results", () => {
  test("one is served while another read replaces it", async () => {
    const db = openClient(database, { enabled: true, ttl: 100, staleWhileRevalidate: 200 });
    await db.execute(SELECT, [1]);
    database.version = 2;
    pass(101);
    const stale = await db.execute(SELECT, [1]);
    expect([versionOf(stale), stale.seawall?.stale, Object.keys(stale).includes("seawall")]).toEqual([1, true, false]);
    await until(() => db.seawall.cache.stats().loads === 2 && database.reads === 2);
    await settled();
    expect(versionOf(await db.execute(SELECT, [1]))).toBe(2);
    expect(db.seawall.cache.stats()).toMatchObject({ stale: 1, hits: 1, misses: 1, staleOnError: 0 });
  });

  test("LB-12: with the database down reads are served from memory, marked as stale, and counted", async () => {
    const db = openClient(
      database,
      { enabled: true, ttl: 100, staleIfError: 10_000 },
      { circuitBreaker: { failureThreshold: 3 } },
    );
    const fresh = await db.execute(SELECT, [1]);
    database.mode = { kind: "down" };
    pass(101);
    for (let count = 1; count <= 6; count += 1) {
      const stale = await db.execute(SELECT, [1]);
      expect(stale).toStrictEqual(fresh);
      expect(stale.seawall?.stale).toBe(true);
      expect(db.seawall.cache.stats().staleOnError).toBe(count);
    }
    expect(db.seawall.status().breaker.state).toBe("OPEN");
    expect(database.reads).toBe(4);
    await expect(db.execute(SELECT, [2])).rejects.toMatchObject({ code: "CIRCUIT_OPEN" });
    pass(10_000);
    await expect(db.execute(SELECT, [1])).rejects.toBeDefined();
    expect(db.seawall.cache.stats().entries).toBe(0);
  });

  test("an error of the statement itself is no reason to serve what is old", async () => {
    const db = openClient(database, { enabled: true, ttl: 100, staleIfError: 10_000 });
    await db.execute(SELECT, [1]);
    pass(101);
    database.mode = { kind: "refuses" };
    await expect(db.execute(SELECT, [1])).rejects.toMatchObject({ code: "SQLITE_ERROR" });
    database.mode = { kind: "down" };
    expect((await db.execute(SELECT, [1])).seawall?.stale).toBe(true);
  });
});

async function until(isTrue: () => boolean): Promise<void> {
  for (let turn = 0; !isTrue(); turn += 1) {
    if (turn > 1_000) throw new Error("never");
    await settled();
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
