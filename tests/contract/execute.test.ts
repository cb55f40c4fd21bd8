import { describe, expect, test } from "vitest";
import { contract, countOf, libsqlRejection, onlyRow, onlyValue, prepare } from "./contract.ts";

contract("execute", (peer) => {
  describe("forms of the call", () => {
    test("a string", async () => {
      expect(onlyValue(await peer.open().execute("SELECT 42"))).toBe(42);
    });

    test("a string and positional arguments", async () => {
      expect(onlyValue(await peer.open().execute("SELECT ? || ?", ["a", "b"]))).toBe("ab");
    });

    test("a string and named arguments", async () => {
      expect(onlyValue(await peer.open().execute("SELECT :x || $y", { x: "a", y: "b" }))).toBe("ab");
    });

    test("a string and no arguments in so many words", async () => {
      expect(onlyValue(await peer.open().execute("SELECT 1", undefined))).toBe(1);
      expect(onlyValue(await peer.open().execute("SELECT 1", []))).toBe(1);
      expect(onlyValue(await peer.open().execute("SELECT 1", {}))).toBe(1);
    });

    test("a statement object without arguments", async () => {
      expect(onlyValue(await peer.open().execute({ sql: "SELECT 42" }))).toBe(42);
    });

    test("a statement object with positional arguments", async () => {
      expect(onlyValue(await peer.open().execute({ sql: "SELECT ?", args: ["a"] }))).toBe("a");
    });

    test("a statement object with named arguments", async () => {
      expect(onlyValue(await peer.open().execute({ sql: "SELECT @a", args: { a: "a" } }))).toBe("a");
    });
  });

  describe("the result", () => {
    test("has columns, types, rows and counts", async () => {
      const result = await peer.open().execute("SELECT 1 AS one, 'two' AS two");
      expect(result.columns).toStrictEqual(["one", "two"]);
      expect(result.columnTypes).toStrictEqual(["", ""]);
      expect(result.rows).toHaveLength(1);
      expect(result.rowsAffected).toBe(0);
    });

    test("has the rows in the order of the server", async () => {
      const { rows, columns } = await peer.open().execute("VALUES (1, 'one'), (2, 'two'), (3, 'three')");
      expect(columns).toHaveLength(2);
      expect(rows.map((row) => Array.from(row as ArrayLike<unknown>))).toStrictEqual([
        [1, "one"],
        [2, "two"],
        [3, "three"],
      ]);
    });

    test("has columns but no rows when nothing matched", async () => {
      const result = await peer.open().execute("SELECT 1 AS a WHERE 0");
      expect(result.columns).toStrictEqual(["a"]);
      expect(result.rows).toStrictEqual([]);
    });

    test("has the declared types of a table's columns", async () => {
      const client = peer.open();
      await prepare(client, "CREATE TABLE typed (i INTEGER, f FLOAT, v VARCHAR(10), b BLOB, n)");
      const result = await client.execute("SELECT i, f, v, b, n, i + 1 FROM typed");
      expect(result.columnTypes).toStrictEqual(["INTEGER", "FLOAT", "VARCHAR(10)", "BLOB", "", ""]);
    });

    test("of DDL is empty", async () => {
      const result = await peer.open().execute("CREATE TABLE ddl (a)");
      expect(result.columns).toStrictEqual([]);
      expect(result.columnTypes).toStrictEqual([]);
      expect(result.rows).toStrictEqual([]);
      expect(result.rowsAffected).toBe(0);
    });
  });

  describe("rowsAffected", () => {
    test.each<[string, string, number]>([
      ["INSERT", "INSERT INTO counted VALUES (6), (7)", 2],
      [
        "INSERT ... SELECT under WITH",
        "WITH x(a) AS (SELECT 2 * a FROM counted) INSERT INTO counted SELECT a FROM x",
        5,
      ],
      ["UPDATE", "UPDATE counted SET a = a + 1 WHERE a <= 2", 2],
      ["DELETE", "DELETE FROM counted WHERE a >= 3", 3],
      ["DELETE of nothing", "DELETE FROM counted WHERE a > 100", 0],
      ["SELECT", "SELECT * FROM counted", 0],
    ])("of %s", async (_name, sql, expected) => {
      const client = peer.open();
      await prepare(
        client,
        "DROP TABLE IF EXISTS counted",
        "CREATE TABLE counted (a)",
        "INSERT INTO counted VALUES (1), (2), (3), (4), (5)",
      );
      expect((await client.execute(sql)).rowsAffected).toBe(expected);
    });
  });

  describe("lastInsertRowid", () => {
    test("is a bigint that finds the row", async () => {
      const client = peer.open();
      await prepare(client, "CREATE TABLE ids (a)", "INSERT INTO ids VALUES ('one'), ('two')");
      const { lastInsertRowid } = await client.execute("INSERT INTO ids VALUES ('three')");
      expect(lastInsertRowid).toBe(3n);
      const found = await client.execute({
        sql: "SELECT a FROM ids WHERE ROWID = ?",
        args: [lastInsertRowid as bigint],
      });
      expect(onlyValue(found)).toBe("three");
    });

    test("is that of the last of several rows", async () => {
      const client = peer.open();
      await prepare(client, "CREATE TABLE several (a)");
      expect((await client.execute("INSERT INTO several VALUES (1), (2), (3)")).lastInsertRowid).toBe(3n);
    });

    test.each([["number"], ["bigint"], ["string"]] as const)("keeps 63 bits under intMode %s", async (intMode) => {
      const client = peer.open({ intMode });
      await prepare(client, "DROP TABLE IF EXISTS large_ids", "CREATE TABLE large_ids (id INTEGER PRIMARY KEY)");
      const { lastInsertRowid } = await client.execute("INSERT INTO large_ids VALUES (9223372036854775806)");
      expect(lastInsertRowid).toBe(9223372036854775806n);
    });

    test("of a query says nothing of an insert", async () => {
      expect((await peer.open().execute("SELECT 1")).lastInsertRowid ?? 0n).toBe(0n);
    });

    test("can be negative", async () => {
      const client = peer.open();
      await prepare(client, "CREATE TABLE negative_ids (id INTEGER PRIMARY KEY)");
      expect((await client.execute("INSERT INTO negative_ids VALUES (-5)")).lastInsertRowid).toBe(-5n);
    });
  });

  test("RETURNING gives rows and counts", async () => {
    const client = peer.open();
    await prepare(client, "CREATE TABLE returning_rows (id INTEGER PRIMARY KEY, a)");
    const result = await client.execute("INSERT INTO returning_rows (a) VALUES ('x'), ('y') RETURNING id, a AS b");
    expect(result.columns).toStrictEqual(["id", "b"]);
    expect(result.rows).toStrictEqual([
      { id: 1, b: "x" },
      { id: 2, b: "y" },
    ]);
    expect(result.lastInsertRowid).toBe(2n);
  });

  describe("toJSON", () => {
    test("turns rows to lists and the row id to text", async () => {
      const client = peer.open();
      await prepare(client, "CREATE TABLE json_ids (id INTEGER PRIMARY KEY)");
      const result = await client.execute("INSERT INTO json_ids VALUES (12345)");
      expect(result.toJSON()).toStrictEqual({
        columns: [],
        columnTypes: [],
        rows: [],
        rowsAffected: 1,
        lastInsertRowid: "12345",
      });
    });

    test("turns blobs to base64 and keeps other values", async () => {
      const result = await peer
        .open()
        .execute("SELECT 42 AS i, 0.5 AS f, NULL AS n, 'foo' AS t, X'626172' AS b, X'ff' AS padded");
      expect(result.toJSON().rows).toStrictEqual([[42, 0.5, null, "foo", "YmFy", "/w=="]]);
    });

    test("turns bigint to text", async () => {
      const result = await peer.open({ intMode: "bigint" }).execute("SELECT 42, 9223372036854775807");
      expect(result.toJSON().rows).toStrictEqual([["42", "9223372036854775807"]]);
    });

    test("keeps every column of a repeated name", async () => {
      const result = await peer.open().execute("SELECT 1 AS a, 2 AS a");
      expect(result.toJSON().rows).toStrictEqual([[1, 2]]);
    });

    test("is what JSON.stringify uses", async () => {
      const result = await peer.open().execute("SELECT 1 AS a, 'x' AS b");
      expect(JSON.parse(JSON.stringify(result))).toStrictEqual(result.toJSON());
      expect(JSON.stringify({ nested: [result] })).toContain('"rows":[[1,"x"]]');
    });

    test("has its keys in the order of the peer", async () => {
      const result = await peer.open().execute("SELECT 1 AS a");
      expect(Object.keys(result.toJSON())).toStrictEqual([
        "columns",
        "columnTypes",
        "rows",
        "rowsAffected",
        "lastInsertRowid",
      ]);
    });
  });

  describe("statements of every kind", () => {
    test("comments and white space around a statement", async () => {
      expect(onlyValue(await peer.open().execute("  -- first\n/* second */ SELECT 1 -- last\n"))).toBe(1);
    });

    test("one trailing semicolon", async () => {
      expect(onlyValue(await peer.open().execute("SELECT 1;"))).toBe(1);
    });

    test("EXPLAIN QUERY PLAN", async () => {
      expect((await peer.open().execute("EXPLAIN QUERY PLAN SELECT 1")).rows.length).toBeGreaterThan(0);
    });

    test("PRAGMA that reads", async () => {
      expect(onlyRow(await peer.open().execute("PRAGMA user_version")).length).toBe(1);
    });

    test("a recursive common table expression", async () => {
      const sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT SUM(i) FROM n";
      expect(onlyValue(await peer.open().execute(sql))).toBe(5050);
    });

    test("upsert", async () => {
      const client = peer.open();
      await prepare(client, "CREATE TABLE upserted (id INTEGER PRIMARY KEY, n)");
      const sql = "INSERT INTO upserted VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = n + 1 RETURNING n";
      expect(onlyValue(await client.execute(sql))).toBe(1);
      expect(onlyValue(await client.execute(sql))).toBe(2);
    });

    test("two statements are refused and neither runs", async () => {
      const client = peer.open();
      await prepare(client, "CREATE TABLE one_only (a)");
      const sql = "INSERT INTO one_only VALUES (1); INSERT INTO one_only VALUES (2)";
      await libsqlRejection(peer, client.execute(sql), "SQL_MANY_STATEMENTS");
      expect(await countOf(client, "one_only")).toBe(0);
    });

    test("no statement is refused", async () => {
      await libsqlRejection(peer, peer.open().execute(""), "SQL_NO_STATEMENT");
      await libsqlRejection(peer, peer.open().execute("-- nothing"), "SQL_NO_STATEMENT");
    });
  });

  test("each execute has a connection of its own", async () => {
    const client = peer.open();
    await client.execute("CREATE TEMP TABLE mine (a)").catch(() => undefined);
    await libsqlRejection(peer, client.execute("SELECT * FROM temp.mine"));
    await client.execute("BEGIN");
    expect(onlyValue(await client.execute("SELECT 1"))).toBe(1);
    await libsqlRejection(peer, client.execute("COMMIT"));
  });

  test("execute can be taken off the client when bound", async () => {
    const client = peer.open();
    const execute = client.execute.bind(client);
    expect(onlyValue(await execute("SELECT 1"))).toBe(1);
  });

  test("a client sees what another client wrote", async () => {
    await prepare(peer.open(), "CREATE TABLE shared_rows (a)", "INSERT INTO shared_rows VALUES (1)");
    expect(await countOf(peer.open(), "shared_rows")).toBe(1);
  });
});
