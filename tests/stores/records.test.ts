// The tables of records in a real libSQL server, through @libsql/client and through ours.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { inspect } from "node:util";
import { createClient as createPlain } from "@libsql/client";
import { createClient } from "seawall";
import { CryptoKeys, createRecords, MIGRATION_SQL, type NewDatabase, type Records } from "seawall/records";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Sqld, startSqld } from "../support/sqld.mjs";

const DAY_MS = 86_400_000;
const SECRET = "postgres://root:c4nary-Pa55@db.example.com/app?token=c4nary-T0ken";
const newKey = () => randomBytes(32).toString("base64");
const key = newKey();
const FILE = "records/003_add_multi_database_support.sql";
const database: NewDatabase = { project: "shop", name: "orders", type: "postgresql", connection: SECRET };

type Plain = ReturnType<typeof createPlain>;
const CLIENTS: [string, (url: string) => Plain][] = [
  ["@libsql/client", (url) => createPlain({ url })],
  ["ours", (url) => createClient({ url }) as unknown as Plain],
];

/** What `work` is rejected with. */
async function rejection(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => expect.unreachable("it succeeded"),
    (error: unknown) => error,
  );
}

/** What the database itself says, under the records' feet. */
async function all(client: Plain, sql: string, args: (string | number)[] = []) {
  return (await client.execute({ sql, args })).rows as unknown as Record<string, unknown>[];
}

const TABLES = `SELECT type, name, sql FROM sqlite_master WHERE name LIKE 'platform%' ORDER BY name`;

describe.each(CLIENTS)("records through %s", (_name, create) => {
  let server: Sqld;
  let client: Plain;
  let records: Records;

  beforeAll(async () => {
    server = await startSqld();
    client = create(server.url);
  });
  afterAll(async () => {
    client?.close();
    await server?.stop();
  });

  test("AUD-11: ten isolates migrate a new database at once, and none fails", async () => {
    const clients = Array.from({ length: 10 }, () => create(server.url));
    const results = await Promise.all(clients.map((one) => createRecords({ client: one, keys: [key] }).migrate()));
    for (const one of clients) one.close();
    expect(results.filter(({ applied }) => applied).length).toBeGreaterThan(0);
    const names = (await all(client, TABLES)).map(({ type, name }) => `${type} ${name}`);
    expect(names).toEqual(
      expect.arrayContaining([
        "table platform_databases",
        "table platform_database_metrics",
        "table platform_database_connection_logs",
        "view platform_database_health_overview",
        "index platform_database_metrics_by_series",
      ]),
    );
    expect(await all(client, "SELECT version, name FROM platform_migrations")).toEqual([
      expect.objectContaining({ version: 3, name: "003_add_multi_database_support" }),
    ]);
  });

  describe("a migrated database", () => {
    beforeEach(async () => {
      records = createRecords({ client, keys: [key] });
      await records.migrate();
      for (const { id } of await records.databases({ limit: 1_000 })) await records.removeDatabase(id);
    });

    test("AUD-11: the migration ships as a file, and may be run again at any time", async () => {
      const dist = dirname(dirname(createRequire(import.meta.url).resolve("seawall/records")));
      const file = readFileSync(join(dist, FILE), "utf8");
      expect(file).toBe(MIGRATION_SQL);
      const before = await all(client, TABLES);
      await records.addDatabase(database);
      await client.executeMultiple(file);
      await client.executeMultiple(file);
      expect(await records.migrate()).toEqual({ applied: false });
      expect(await all(client, TABLES)).toEqual(before);
      expect(await records.databases()).toHaveLength(1);
    });

    test("AUD-01 and SEC-01: a database is stored with its connection string sealed", async () => {
      const added = await records.addDatabase({ ...database, tier: "PRO" });
      expect(await records.database(added.id)).toEqual(added);
      expect(added).toMatchObject({ project: "shop", name: "orders", tier: "PRO", isEnabled: true, health: "unknown" });
      expect(await records.connectionOf(added.id)).toBe(SECRET);
      const stored = await all(client, "SELECT * FROM platform_databases");
      expect(JSON.stringify(stored)).not.toContain("c4nary");
      expect(stored[0]?.connection).toMatch(/^sw1\./);
      expect(JSON.stringify(await records.databases())).not.toMatch(/c4nary|sw1\./);
    });

    test("AUD-01: the table itself refuses a connection string in clear, and what is no database", async () => {
      const { id } = await records.addDatabase(database);
      for (const change of [
        "connection = 'libsql://user:pass@host'",
        "type = 'oracle'",
        "tier = 'GOLD'",
        "health = 'fine'",
        "is_enabled = 2",
        "name = ''",
        "created_at_ms = 'now'",
      ]) {
        const error = await rejection(
          client.execute({ sql: `UPDATE platform_databases SET ${change} WHERE id = ?`, args: [id] }),
        );
        expect(String(error), change).toMatch(/constraint|cannot store/i);
      }
      await rejection(records.addDatabase(database));
      expect(await records.databases()).toHaveLength(1);
      // The refused one left no trace in the log either: row and event are one transaction.
      expect(
        (await all(client, "SELECT 1 FROM platform_database_connection_logs WHERE database_id = ?", [id])).length,
      ).toBe(1);
    });

    test("AUD-01: databases are listed by page and by project", async () => {
      const ids = ["a", "b", "c", "d"].map((letter) => `list-${letter}`);
      for (const [at, id] of ids.entries()) {
        await records.addDatabase({ ...database, id, name: id, project: at % 2 === 0 ? "even" : "odd" });
      }
      const idsOf = (list: { id: string }[]) => list.map(({ id }) => id);
      expect(idsOf(await records.databases({ limit: 3 }))).toEqual(ids.slice(0, 3));
      expect(idsOf(await records.databases({ limit: 3, after: "list-c" }))).toEqual(["list-d"]);
      expect(idsOf(await records.databases({ project: "odd" }))).toEqual(["list-b", "list-d"]);
      expect(idsOf(await records.healthOverview({ project: "even" }))).toEqual(["list-a", "list-c"]);
    });

    test("AUD-01: what callers give is a parameter, never SQL", async () => {
      const nasty = `x'); DROP TABLE platform_databases; --`;
      const { id } = await records.addDatabase({ ...database, id: nasty, project: nasty, name: `"; ' ${nasty}` });
      await records.recordDatabaseMetric({ databaseId: id, metric: nasty, value: 1, labels: { [nasty]: nasty } });
      await records.logDatabaseEvent({ databaseId: id, event: nasty, message: nasty, actor: nasty });
      await records.updateDatabaseHealth(id, { health: "degraded", message: nasty });
      expect((await records.getDatabaseStats(id)).metrics[0]?.metric).toBe(nasty);
      expect((await records.databases({ project: nasty })).map((found) => found.id)).toEqual([nasty]);
      expect(await records.databases({ project: "' OR 1=1 --" })).toEqual([]);
      expect(await records.removeDatabase(nasty)).toBe(true);
    });

    test("AUD-02, AUD-05 and MET-36: measurements are a time series, and belong to a database that there is", async () => {
      const { id } = await records.addDatabase(database);
      const now = Date.now();
      await records.recordDatabaseMetric({ databaseId: id, metric: "query_ms", value: 12.5, unit: "ms" });
      await records.recordDatabaseMetric(
        [1, 2, 3].map((value) => ({
          databaseId: id,
          metric: "connections",
          value,
          at: now - 1_000 * (3 - value),
          labels: { pool: "a" },
        })),
      );
      const rows = await all(
        client,
        "SELECT metric, value, unit, labels, at_ms FROM platform_database_metrics ORDER BY id",
      );
      expect(rows.map(({ metric, value }) => [metric, value])).toEqual([
        ["query_ms", 12.5],
        ["connections", 1],
        ["connections", 2],
        ["connections", 3],
      ]);
      expect(rows[3]).toMatchObject({ labels: '{"pool":"a"}', at_ms: now });
      const stranger = { databaseId: "nobody", metric: "m", value: 1 };
      await expect(records.recordDatabaseMetric(stranger)).rejects.toThrow('There is no database "nobody"');
      await expect(records.recordDatabaseMetric([{ ...stranger, databaseId: id }, stranger])).rejects.toThrow("nobody");
      expect(await all(client, "SELECT 1 FROM platform_database_metrics")).toHaveLength(4);
    });

    test("AUD-03 and AUD-06: the log is append-only, whoever tries", async () => {
      const { id } = await records.addDatabase(database);
      await records.logDatabaseEvent({
        databaseId: id,
        event: "connect_failed",
        level: "error",
        message: `could not reach ${SECRET}`,
        detail: { attempt: 2, password: "c4nary-detail", url: SECRET },
        actor: "ops@example.com",
        requestId: "r-1",
      });
      const log = "platform_database_connection_logs";
      const before = await all(client, `SELECT * FROM ${log} ORDER BY id`);
      const last = before.at(-1) as Record<string, unknown>;
      expect(last).toMatchObject({
        event: "connect_failed",
        level: "error",
        actor: "ops@example.com",
        request_id: "r-1",
      });
      expect(JSON.stringify(before)).not.toContain("c4nary");
      expect(last.message).toContain("db.example.com");
      expect(JSON.parse(String(last.detail))).toMatchObject({ attempt: 2 });
      for (const sql of [
        `UPDATE ${log} SET message = 'nothing happened'`,
        `UPDATE ${log} SET id = id + 1000`,
        `DELETE FROM ${log}`,
        `DELETE FROM ${log} WHERE id = ${last.id}`,
        `INSERT OR REPLACE INTO ${log} (id, database_id, event, at_ms) VALUES (${last.id}, 'x', 'forged', 1)`,
        `REPLACE INTO ${log} (id, database_id, event, at_ms) VALUES (${last.id}, 'x', 'forged', 1)`,
        `INSERT INTO ${log} (id, database_id, event, at_ms) VALUES (${last.id}, 'x', 'forged', 1) ON CONFLICT (id) DO UPDATE SET event = 'forged'`,
        `UPDATE platform_log_retention SET before_ms = 9e15`,
        `INSERT OR REPLACE INTO platform_log_retention (id, before_ms) VALUES (1, 9000000000000)`,
      ]) {
        expect(String(await rejection(client.execute(sql))), sql).toMatch(
          /append-only|latest 23 hours|one row|cannot store/,
        );
      }
      expect(await all(client, `SELECT * FROM ${log} ORDER BY id`)).toEqual(before);
      await records.removeDatabase(id);
      const after = await all(client, `SELECT event FROM ${log} WHERE database_id = ? ORDER BY id`, [id]);
      expect(after.map(({ event }) => event)).toEqual(["added", "connect_failed", "removed"]);
    });

    test("AUD-04, AUD-07 and HLT-30: health is stored, its changes are logged, and the view shows both", async () => {
      const { id } = await records.addDatabase(database);
      const now = Date.now();
      const report = (ago: number, health: "healthy" | "unhealthy", message?: string) =>
        records.updateDatabaseHealth(id, { health, latencyMs: 7, checkedAt: now - ago, ...(message && { message }) });
      expect(await report(5_000, "healthy")).toBe(true);
      expect(await report(4_000, "healthy")).toBe(true);
      expect(await report(3_000, "unhealthy", `no answer from ${SECRET}`)).toBe(true);
      expect(await report(2_000, "unhealthy")).toBe(true);
      expect(await report(4_500, "healthy"), "an older report").toBe(false);
      const [seen] = await records.healthOverview();
      expect(seen).toMatchObject({ id, health: "unhealthy", healthLatencyMs: 7, healthCheckedAtMs: now - 2_000 });
      expect(seen).toMatchObject({ consecutiveFailures: 2, errorsLastHour: 1, lastEventAtMs: expect.any(Number) });
      expect(JSON.stringify(await all(client, "SELECT * FROM platform_database_health_overview"))).not.toMatch(
        /c4nary|sw1/,
      );
      const changes = await all(
        client,
        "SELECT level, message, detail FROM platform_database_connection_logs WHERE database_id = ? AND event = 'health_changed' ORDER BY id",
        [id],
      );
      expect(changes.map(({ level, detail }) => [level, JSON.parse(String(detail))])).toEqual([
        ["info", { from: "unknown", to: "healthy" }],
        ["error", { from: "healthy", to: "unhealthy" }],
      ]);
      expect(JSON.stringify(changes)).not.toContain("c4nary");
      expect(await report(0, "healthy")).toBe(true);
      expect((await records.database(id))?.consecutiveFailures).toBe(0);
      await expect(records.updateDatabaseHealth("nobody", { health: "healthy" })).rejects.toThrow("nobody");
    });

    test("AUD-08: statistics of a database tell each metric and the events by level", async () => {
      const { id } = await records.addDatabase(database);
      const now = Date.now();
      const at = (value: number, hours: number) => ({
        databaseId: id,
        metric: "ms",
        value,
        at: now - hours * 3_600_000,
      });
      await records.recordDatabaseMetric([at(10, 3), at(30, 2), at(20, 1), at(99, 30)]);
      await records.logDatabaseEvent({ databaseId: id, event: "slow", level: "warn" });
      const stats = await records.getDatabaseStats(id);
      expect(stats.metrics).toEqual([{ metric: "ms", count: 3, min: 10, max: 30, average: 20, latest: 20 }]);
      expect(stats.events).toEqual({ debug: 0, info: 1, warn: 1, error: 0 });
      expect(stats.database.id).toBe(id);
      expect((await records.getDatabaseStats(id, { hours: 48 })).metrics[0]).toMatchObject({ count: 4, max: 99 });
      await expect(records.getDatabaseStats("nobody")).rejects.toThrow("nobody");
    });

    test("AUD-09: old measurements are forgotten, in bounded batches", async () => {
      const { id } = await records.addDatabase(database);
      const now = Date.now();
      const aged = (days: number) => ({ databaseId: id, metric: "m", value: days, at: now - days * DAY_MS });
      await records.recordDatabaseMetric([
        aged(0),
        aged(29),
        ...Array.from({ length: 7 }, (_, extra) => aged(31 + extra)),
      ]);
      expect(await records.cleanupOldDatabaseMetrics({ batch: 2, limit: 5 })).toEqual({ deleted: 5, more: true });
      const left = await all(client, "SELECT value FROM platform_database_metrics ORDER BY value");
      expect(
        left.map(({ value }) => value),
        "the oldest go first",
      ).toEqual([0, 29, 31, 32]);
      expect(await records.cleanupOldDatabaseMetrics()).toEqual({ deleted: 2, more: false });
      expect(await records.cleanupOldDatabaseMetrics()).toEqual({ deleted: 0, more: false });
      expect(await records.cleanupOldDatabaseMetrics({ retentionDays: 1 })).toEqual({ deleted: 1, more: false });
    });

    test("AUD-10: old events are forgotten by retention alone, which never touches the latest day", async () => {
      await records.cleanupOldDatabaseLogs({ retentionDays: 1 });
      const now = Date.now();
      const log = (days: number) =>
        records.logDatabaseEvent({ databaseId: "gone", event: `day-${days}`, at: now - days * DAY_MS });
      for (const days of [0, 0.9, 2, 89, 91, 92, 93]) await log(days);
      const events = async () =>
        (
          await all(
            client,
            "SELECT event FROM platform_database_connection_logs WHERE database_id = 'gone' ORDER BY at_ms",
          )
        ).map(({ event }) => event);
      expect(await records.cleanupOldDatabaseLogs({ batch: 2 })).toEqual({ deleted: 3, more: false });
      expect(await events()).toEqual(["day-89", "day-2", "day-0.9", "day-0"]);
      expect(await all(client, "SELECT before_ms FROM platform_log_retention")).toEqual([
        expect.objectContaining({ before_ms: 0 }),
      ]);
      const error = await rejection(client.execute("DELETE FROM platform_database_connection_logs WHERE at_ms < 9e15"));
      expect(String(error)).toContain("append-only");
      await expect(records.cleanupOldDatabaseLogs({ retentionDays: 0.5 })).rejects.toThrow(/retentionDays .*from 1 to/);
      expect((await records.cleanupOldDatabaseLogs({ retentionDays: 1 })).deleted).toBe(2);
      expect(await events()).toEqual(["day-0.9", "day-0"]);
      // A clock that is wrong does not reach the latest day either.
      const ahead = createRecords({ client, keys: [key], now: () => now + 10 * DAY_MS });
      expect(String(await rejection(ahead.cleanupOldDatabaseLogs({ retentionDays: 1 })))).toContain("latest 23 hours");
      expect(await events()).toEqual(["day-0.9", "day-0"]);
    });

    test("SEC-01: keys are rotated in batches that may be broken off, while others read and write", async () => {
      const [young, count] = [newKey(), 25];
      const ids = Array.from({ length: count }, (_, at) => `rotate-${String(at).padStart(2, "0")}`);
      for (const id of ids) await records.addDatabase({ ...database, id, name: id, connection: `${SECRET}#${id}` });
      const both = createRecords({ client, keys: [young, key] });
      const first = await both.rotateKeys({ batch: 4, limit: 10 });
      expect(first).toEqual({ rotated: 10, changed: 0, unreadable: [], remaining: count - 10 });
      const writers = ids.map((id, at) =>
        at % 5 === 0 ? (at % 2 === 0 ? both : records).changeConnection(id, `changed#${id}`) : both.connectionOf(id),
      );
      const [others] = await Promise.all([both.rotateKeys({ batch: 3 }), ...writers]);
      expect(others.unreadable).toEqual([]);
      // Who still had only the old key has sealed with it again.
      const rest = await both.rotateKeys();
      expect(rest).toMatchObject({ unreadable: [], remaining: 0 });
      const alone = createRecords({ client, keys: [young] });
      for (const [at, id] of ids.entries()) {
        expect(await alone.connectionOf(id)).toBe(at % 5 === 0 ? `changed#${id}` : `${SECRET}#${id}`);
      }
      expect(await rejection(records.connectionOf("rotate-01"))).toMatchObject({ code: "SECRET_UNREADABLE" });
      expect(await alone.rotateKeys()).toEqual({ rotated: 0, changed: 0, unreadable: [], remaining: 0 });
    });

    test("SEC-01: two who rotate at once, and a write between reading and writing, lose nothing", async () => {
      const young = newKey();
      const { id } = await records.addDatabase({ ...database, id: "raced" });
      // The other writer comes after the rows were read, and before any is written.
      let isLate = false;
      const raced = {
        execute: (statement: Parameters<Plain["execute"]>[0]) => client.execute(statement),
        batch: async (statements: Parameters<Plain["batch"]>[0], mode: "write") => {
          if (!isLate) await records.changeConnection(id, "newer");
          isLate = true;
          return client.batch(statements, mode);
        },
      };
      const both = createRecords({ client: raced as never, keys: [young, key] });
      expect(await both.rotateKeys()).toEqual({ rotated: 0, changed: 1, unreadable: [], remaining: 1 });
      const two = [1, 2].map(() => createRecords({ client, keys: [young, key] }));
      const done = await Promise.all(two.map((one) => one.rotateKeys()));
      expect(done.reduce((sum, { rotated }) => sum + rotated, 0)).toBe(1);
      expect(await createRecords({ client, keys: [young] }).connectionOf(id)).toBe("newer");
    });

    test("SEC-01: rows that no key opens are told, left alone, and hold up nothing", async () => {
      const stranger = createRecords({ client, keys: [newKey()] });
      await stranger.addDatabase({ ...database, id: "rot-1", name: "1" });
      await records.addDatabase({ ...database, id: "rot-2", name: "2" });
      const both = createRecords({ client, keys: [newKey(), key] });
      expect(await both.rotateKeys({ batch: 1 })).toEqual({
        rotated: 1,
        changed: 0,
        unreadable: ["rot-1"],
        remaining: 1,
      });
      expect(await stranger.connectionOf("rot-1")).toBe(SECRET);
      // An envelope that was copied into another row is of no use there.
      await client.execute(
        "UPDATE platform_databases SET connection = (SELECT connection FROM platform_databases WHERE id = 'rot-2') WHERE id = 'rot-1'",
      );
      const error = await rejection(both.connectionOf("rot-1"));
      expect(error).toMatchObject({ code: "SECRET_UNREADABLE", origin: "caller" });
      expect(inspect(error, { depth: null })).not.toMatch(/c4nary/);
    });

    test("SEC-01: no error, and nothing printed of the records, holds a key or a connection string", async () => {
      const { id } = await records.addDatabase(database);
      const errors = await Promise.all(
        [
          () => records.addDatabase({ ...database, id }),
          () => records.addDatabase({ ...database, type: "c4nary-x" as never, connection: 42 as never }),
          () => records.addDatabase({ ...database, connection: `${SECRET}\n` }),
          () => records.changeConnection("nobody", SECRET),
          () => records.addDatabase({ ...database, connection: SECRET.repeat(500) }),
          () => createRecords({ client, keys: [newKey()] }).connectionOf(id),
        ].map(async (work) => rejection(work())),
      );
      const printed = [...errors, records, new CryptoKeys([key])].map(
        (value) => `${inspect(value, { depth: null, showHidden: true })} ${JSON.stringify(value)} ${String(value)}`,
      );
      expect(printed.join("\n").replaceAll("c4nary-x", "")).not.toContain("c4nary");
      expect(printed.join("\n")).not.toContain(key);
    });
  });
});

describe("what cannot be recorded", () => {
  const client = { execute: async () => ({ rows: [], rowsAffected: 0 }), batch: async () => [] };
  const records = createRecords({ client, keys: [key] });

  test.each<[string, () => Promise<unknown>, RegExp]>([
    [
      "AUD-01: everything that is wrong is named at once",
      () => records.addDatabase({ project: "", type: "oracle", connection: 7, colour: 1 } as never),
      /^addDatabase: "colour" is unknown.*project must have 1 to 128.*name must be a text.*type must be one of libsql.*"oracle".*connection must be a text, got number$/,
    ],
    ["AUD-01: a database is an object", () => records.addDatabase(null as never), /needs an object, got null/],
    [
      "AUD-01: a limit is bounded",
      () => records.databases({ limit: 1_001 }),
      /limit must be a whole number from 1 to 1000, got 1001/,
    ],
    [
      "AUD-05: a measurement is a finite number",
      () => records.recordDatabaseMetric({ databaseId: "a", metric: "m", value: Number.NaN }),
      /value must be a finite number, got NaN/,
    ],
    [
      "AUD-05: so many at once, and no more",
      () => records.recordDatabaseMetric(Array(501).fill({ databaseId: "a", metric: "m", value: 1 })),
      /up to 500 at once, got 501/,
    ],
    [
      "AUD-05: no measurement is of tomorrow",
      () => records.recordDatabaseMetric({ databaseId: "a", metric: "m", value: 1, at: Date.now() + DAY_MS }),
      /at must be a number from 0 to/,
    ],
    [
      "AUD-06: an event has a level that there is",
      () => records.logDatabaseEvent({ databaseId: "a", event: "e", level: "fatal" as never }),
      /level must be one of debug, info, warn, error, got "fatal"/,
    ],
    [
      "AUD-06: an event is one line",
      () => records.logDatabaseEvent({ databaseId: "a", event: "e\nforged" }),
      /event must be one line/,
    ],
    [
      "AUD-07: health is one of four",
      () => records.updateDatabaseHealth("a", { health: "fine" as never, latencyMs: -1 }),
      /health must be one of.*latencyMs must be a number from 0/,
    ],
    [
      "AUD-08: hours are bounded",
      () => records.getDatabaseStats("a", { hours: 1e9 }),
      /hours must be a number from 0 to 8784/,
    ],
    [
      "AUD-09: a batch is bounded",
      () => records.cleanupOldDatabaseMetrics({ batch: 0 }),
      /batch must be a whole number from 1 to 5000/,
    ],
  ])("%s", async (_name, work, expected) => {
    const error = await rejection(work());
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toMatch(expected);
  });

  test("SEC-01 and ENV-18: without a key, or without a client, there are no records", () => {
    expect(() => createRecords({ client })).toThrow(/SEAWALL_CRYPTO_KEY is not set/);
    expect(() => createRecords({ client: {} as never, keys: [key] })).toThrow(/createRecords needs \{ client \}/);
    expect(() => createRecords({ client, keys: ["short"] })).toThrow(/must be 32 random bytes/);
  });

  test("AUD-11: what waiting does not help is told at once, and what it does help is tried again", async () => {
    let calls = 0;
    const failing = (code: string, times: number) => ({
      execute: async () => {
        calls += 1;
        if (calls <= times) throw Object.assign(new Error(code), { code });
        return { rows: [{}], rowsAffected: 0 };
      },
      batch: async () => [],
    });
    await rejection(createRecords({ client: failing("SQLITE_AUTH", 99), keys: [key] }).migrate());
    expect(calls).toBe(1);
    calls = 0;
    expect(await createRecords({ client: failing("SQLITE_BUSY", 2), keys: [key] }).migrate()).toEqual({
      applied: false,
    });
    calls = 0;
    await rejection(createRecords({ client: failing("SQLITE_BUSY", 99), keys: [key] }).migrate());
    expect(calls).toBe(8);
  });
});
