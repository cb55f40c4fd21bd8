import type { InArgs, InStatement, ResultSet, TransactionMode } from "@libsql/client/web";
import { describe, expect, test } from "vitest";
import {
  batchRejection,
  contract,
  countOf,
  differs,
  libsqlRejection,
  onlyValue,
  prepare,
  recordingFetch,
  rejection,
} from "./contract.ts";

const values = (results: ResultSet[]) => results.map((result) => onlyValue(result));

contract("batch", (peer) => {
  describe("forms of a statement", () => {
    test.each<[string, InStatement | [string, InArgs?]]>([
      ["a string", "SELECT 'x'"],
      ["an object without arguments", { sql: "SELECT 'x'" }],
      ["an object with positional arguments", { sql: "SELECT ?", args: ["x"] }],
      ["an object with named arguments", { sql: "SELECT :a", args: { a: "x" } }],
      ["a pair without arguments", ["SELECT 'x'"]],
      ["a pair with positional arguments", ["SELECT ?", ["x"]]],
      ["a pair with named arguments", ["SELECT $a", { a: "x" }]],
      ["a pair with undefined arguments", ["SELECT 'x'", undefined] as unknown as [string, InArgs?]],
    ])("%s", async (_name, statement) => {
      expect(values(await peer.open().batch([statement]))).toStrictEqual(["x"]);
    });

    test("all of them together", async () => {
      const results = await peer
        .open()
        .batch(["SELECT 1", { sql: "SELECT ?", args: ["2"] }, ["SELECT :c", { c: "3" }], ["SELECT 4"]], "read");
      expect(values(results)).toStrictEqual([1, "2", "3", 4]);
    });
  });

  test("each statement has a result of its own", async () => {
    const client = peer.open();
    await prepare(client, "CREATE TABLE own_results (id INTEGER PRIMARY KEY, a TEXT)");
    const [inserted, updated, selected] = await client.batch(
      [
        "INSERT INTO own_results (a) VALUES ('x'), ('y')",
        "UPDATE own_results SET a = 'z' WHERE id = 1",
        "SELECT id, a FROM own_results ORDER BY id",
      ],
      "write",
    );
    expect([inserted?.rowsAffected, inserted?.lastInsertRowid]).toStrictEqual([2, 2n]);
    expect(updated?.rowsAffected).toBe(1);
    expect(selected?.columns).toStrictEqual(["id", "a"]);
    expect(selected?.columnTypes).toStrictEqual(["INTEGER", "TEXT"]);
    expect(selected?.rows).toStrictEqual([
      { id: 1, a: "z" },
      { id: 2, a: "y" },
    ]);
  });

  test("statements run in order, each seeing those before it", async () => {
    const results = await peer
      .open()
      .batch(
        [
          "CREATE TABLE in_order (a, b)",
          "INSERT INTO in_order VALUES (1, 'one')",
          "SELECT * FROM in_order ORDER BY a",
          "INSERT INTO in_order VALUES (2, 'two')",
          "SELECT * FROM in_order ORDER BY a",
          "DROP TABLE in_order",
        ],
        "write",
      );
    expect(results).toHaveLength(6);
    expect(results[2]?.rows).toStrictEqual([{ a: 1, b: "one" }]);
    expect(results[4]?.rows).toStrictEqual([
      { a: 1, b: "one" },
      { a: 2, b: "two" },
    ]);
  });

  test("an empty batch has no results", async () => {
    expect(await peer.open().batch([])).toStrictEqual([]);
    expect(await peer.open().batch([], "write")).toStrictEqual([]);
  });

  test("the caller's statements are not changed", async () => {
    const statements: Array<InStatement | [string, InArgs?]> = [
      "SELECT 1",
      { sql: "SELECT ?", args: [1] },
      ["SELECT ?", [2]],
    ];
    const before = structuredClone(statements);
    await peer.open().batch(statements);
    expect(statements).toStrictEqual(before);
  });

  describe("modes", () => {
    test.each<TransactionMode | undefined>(["write", "deferred", undefined])("%s takes writes", async (mode) => {
      const client = peer.open();
      await prepare(client, "DROP TABLE IF EXISTS moded", "CREATE TABLE moded (a)");
      await client.batch(["INSERT INTO moded VALUES (1)", "SELECT 1"], mode);
      expect(await countOf(client, "moded")).toBe(1);
    });

    test("deferred takes reads before writes", async () => {
      const results = await peer
        .open()
        .batch(
          ["SELECT 1 + 1", "CREATE TABLE deferred_rows (a)", "INSERT INTO deferred_rows VALUES (21) RETURNING 2 * a"],
          "deferred",
        );
      expect(onlyValue(results[0] as ResultSet)).toBe(2);
      expect(onlyValue(results[2] as ResultSet)).toBe(42);
    });

    test("read takes reads", async () => {
      expect(values(await peer.open().batch(["SELECT 1", "SELECT 2"], "read"))).toStrictEqual([1, 2]);
    });

    test.each([
      ["write", "BEGIN IMMEDIATE"],
      ["read", "BEGIN TRANSACTION READONLY"],
      ["deferred", "BEGIN DEFERRED"],
      [undefined, "BEGIN DEFERRED"],
    ] as const)("%s asks the server to %s", async (mode, begin) => {
      const sent: string[] = [];
      const client = peer.open({ fetch: recordingFetch(sent) });
      await client.batch(["SELECT 1"], mode);
      expect(sent).toHaveLength(1);
      expect(sent[0]).toContain(`"${begin}"`);
    });

    test("another word is a RangeError", async () => {
      const error = await rejection(peer.open().batch(["SELECT 1"], "exclusive" as TransactionMode));
      expect(error).toBeInstanceOf(RangeError);
    });
  });

  describe("errors", () => {
    test.each([0, 1, 2])("a failure of statement %i is a LibsqlBatchError that says so", async (index) => {
      const statements = ["SELECT 1", "SELECT 2", "SELECT 3"];
      statements[index] = "SELECT missing_column";
      const error = await batchRejection(peer, peer.open().batch(statements, "read"), index, "SQL_INPUT_ERROR");
      expect(error.message).toContain("no such column: missing_column");
      expect(error.name).toBe("LibsqlBatchError");
      expect(error.cause).toBeInstanceOf(Error);
    });

    test("a failure rolls back what came before and keeps what comes after from running", async () => {
      const client = peer.open();
      await prepare(client, "CREATE TABLE atomic (a UNIQUE)", "INSERT INTO atomic VALUES (1)");
      const batch = client.batch(
        ["INSERT INTO atomic VALUES (2)", "INSERT INTO atomic VALUES (1)", "INSERT INTO atomic VALUES (3)"],
        "write",
      );
      const error = await batchRejection(peer, batch, 1, "SQLITE_CONSTRAINT");
      expect(error.message).toContain("UNIQUE constraint failed: atomic.a");
      expect(await countOf(client, "atomic")).toBe(1);
    });

    test("schema changes are rolled back as well", async () => {
      const client = peer.open();
      await batchRejection(peer, client.batch(["CREATE TABLE never (a)", "SELECT missing_column"], "write"), 1);
      await libsqlRejection(peer, client.execute("SELECT * FROM never"));
    });

    test("a syntax error is refused before anything runs", async () => {
      const client = peer.open();
      const batch = client.batch(["CREATE TABLE unparsed (a)", "SELEKT 2"], "write");
      await libsqlRejection(peer, batch, "SQL_PARSE_ERROR");
      await libsqlRejection(peer, client.execute("SELECT * FROM unparsed"));
    });

    test("missing arguments name their statement", async () => {
      const batch = peer.open().batch(["SELECT 1", { sql: "SELECT ?, ?", args: [1] }], "read");
      await batchRejection(peer, batch, 1, "ARGS_INVALID");
    });

    test("two statements in one are refused", async () => {
      await libsqlRejection(peer, peer.open().batch(["SELECT 1; SELECT 2"], "read"), "SQL_MANY_STATEMENTS");
    });

    test("no statement in one is refused", async () => {
      await libsqlRejection(peer, peer.open().batch(["SELECT 1", ""], "read"), "SQL_NO_STATEMENT");
    });

    test("INSERT OR ROLLBACK stops the batch", async () => {
      const client = peer.open();
      await prepare(client, "CREATE TABLE or_rollback (a UNIQUE)", "INSERT INTO or_rollback VALUES (1)");
      const batch = client.batch(
        [
          "INSERT INTO or_rollback VALUES (2)",
          "INSERT OR ROLLBACK INTO or_rollback VALUES (1)",
          "INSERT INTO or_rollback VALUES (3)",
        ],
        "write",
      );
      await batchRejection(peer, batch, 1, "SQLITE_CONSTRAINT");
      expect(await countOf(client, "or_rollback")).toBe(1);
    });

    test("a constraint that is only checked at the end fails the batch as a whole", async () => {
      const client = peer.open();
      await prepare(
        client,
        "CREATE TABLE parents (id INTEGER PRIMARY KEY)",
        "CREATE TABLE children (p INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)",
      );
      await libsqlRejection(peer, client.batch(["INSERT INTO children VALUES (7)"], "write"), "SQLITE_CONSTRAINT");
      expect(await countOf(client, "children")).toBe(0);
    });

    test("a deferred constraint that is met in time is kept", async () => {
      const client = peer.open();
      await prepare(
        client,
        "CREATE TABLE late_parents (id INTEGER PRIMARY KEY)",
        "CREATE TABLE early_children (p INTEGER REFERENCES late_parents (id) DEFERRABLE INITIALLY DEFERRED)",
      );
      await client.batch(["INSERT INTO early_children VALUES (7)", "INSERT INTO late_parents VALUES (7)"], "write");
      expect(await countOf(client, "early_children")).toBe(1);
    });

    test("the client works after a failed batch", async () => {
      const client = peer.open();
      await batchRejection(peer, client.batch(["SELECT missing_column"], "write"), 0);
      expect(values(await client.batch(["SELECT 1"], "write"))).toStrictEqual([1]);
    });
  });

  describe("many statements", () => {
    test("a thousand different ones", async () => {
      const statements = Array.from({ length: 1_000 }, (_, i) => `SELECT ${i}`);
      expect(values(await peer.open().batch(statements, "read"))).toStrictEqual(statements.map((_, i) => i));
    });

    test("a thousand times the same one", async () => {
      const statements = Array.from({ length: 1_000 }, (_, i) => ({ sql: "SELECT ? + 0", args: [i] }));
      expect(values(await peer.open().batch(statements, "read"))).toStrictEqual(statements.map((_, i) => i));
    });

    test("two hundred different ones, each several times", async () => {
      const statements = Array.from({ length: 1_000 }, (_, i) => ({ sql: `SELECT ?, ${i % 200}`, args: [i] }));
      const results = await peer.open().batch(statements, "read");
      expect(results.map(({ rows }) => [rows[0]?.[0], rows[0]?.[1]])).toStrictEqual(
        statements.map((_, i) => [i, i % 200]),
      );
    });

    test("SQL of more than 5,000 bytes of ASCII", async () => {
      const long = "x".repeat(6_000);
      expect(values(await peer.open().batch([`SELECT '${long}'`, "SELECT 1"], "read"))).toStrictEqual([long, 1]);
    });

    test.each([4_998, 4_999, 5_000, 5_001])("SQL of %i bytes", async (length) => {
      const sql = `SELECT '${"x".repeat(length - "SELECT ''".length)}'`;
      expect(sql).toHaveLength(length);
      expect(values(await peer.open().batch([sql, sql], "read"))).toHaveLength(2);
    });
  });

  differs(peer, "a batch takes SQL of under 5,000 characters and over 5,000 bytes", {
    upstream: async () => {
      const batch = peer.open().batch([`SELECT '${"é".repeat(3_000)}'`], "read");
      expect((await libsqlRejection(peer, batch)).message).toMatch(/not found|too large/i);
    },
    ours: async () => {
      const long = "é".repeat(3_000);
      expect(values(await peer.open().batch([`SELECT '${long}'`, "SELECT 1"], "read"))).toStrictEqual([long, 1]);
    },
  });
});
