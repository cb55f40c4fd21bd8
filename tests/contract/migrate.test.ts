import type { InStatement, ResultSet } from "@libsql/client/web";
import { expect, test } from "vitest";
import { batchRejection, contract, countOf, libsqlRejection, onlyValue, prepare } from "./contract.ts";

contract("migrate", (peer) => {
  test("runs the statements in order and gives their results", async () => {
    const results = await peer
      .open()
      .migrate([
        "CREATE TABLE migrated (id INTEGER PRIMARY KEY, a)",
        { sql: "INSERT INTO migrated (a) VALUES (?)", args: ["x"] },
        { sql: "INSERT INTO migrated (a) VALUES (:a)", args: { a: "y" } },
        "SELECT a FROM migrated ORDER BY id",
      ]);
    expect(results).toHaveLength(4);
    expect(results[1]?.lastInsertRowid).toBe(1n);
    expect(results[3]?.rows).toStrictEqual([{ a: "x" }, { a: "y" }]);
  });

  test("takes pairs of SQL and arguments", async () => {
    const pairs = [["SELECT ?", ["x"]]] as unknown as InStatement[];
    const [result] = await peer.open().migrate(pairs);
    expect(onlyValue(result as ResultSet)).toBe("x");
  });

  test("of nothing gives nothing", async () => {
    expect(await peer.open().migrate([])).toStrictEqual([]);
  });

  test("a failure rolls everything back and names its statement", async () => {
    const client = peer.open();
    const migration = client.migrate(["CREATE TABLE half (a)", "INSERT INTO half VALUES (1)", "SELECT missing_column"]);
    await batchRejection(peer, migration, 2, "SQL_INPUT_ERROR");
    await libsqlRejection(peer, client.execute("SELECT * FROM half"));
  });

  const family = [
    "DROP TABLE IF EXISTS child",
    "DROP TABLE IF EXISTS parent",
    "CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT)",
    "CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parent (id))",
    "INSERT INTO parent VALUES (1, 'a')",
    "INSERT INTO child VALUES (1, 1)",
  ];

  test("can rebuild a table that others refer to, which a batch cannot", async () => {
    const client = peer.open();
    const rebuild = [
      "CREATE TABLE new_parent (id INTEGER PRIMARY KEY, name TEXT NOT NULL)",
      "INSERT INTO new_parent SELECT * FROM parent",
      "DROP TABLE parent",
      "ALTER TABLE new_parent RENAME TO parent",
    ];
    await prepare(client, ...family);
    await libsqlRejection(peer, client.batch(rebuild, "write"), "SQLITE_CONSTRAINT");
    await client.migrate(rebuild);
    expect(await countOf(client, "parent")).toBe(1);
    expect(await countOf(client, "child")).toBe(1);
  });

  test("foreign keys are enforced again afterwards, on success and on failure", async () => {
    const client = peer.open();
    await prepare(client, ...family);
    await client.migrate(["CREATE TABLE IF NOT EXISTS unrelated (a)"]);
    await libsqlRejection(peer, client.execute("INSERT INTO child VALUES (2, 99)"), "SQLITE_CONSTRAINT");
    await libsqlRejection(peer, client.migrate(["SELECT missing_column"]));
    await libsqlRejection(peer, client.execute("INSERT INTO child VALUES (3, 99)"), "SQLITE_CONSTRAINT");
  });

  test("statements run with foreign keys off", async () => {
    const client = peer.open();
    await prepare(client, ...family);
    const [pragma] = await client.migrate(["PRAGMA foreign_keys", "INSERT INTO child VALUES (4, 99)"]);
    expect(onlyValue(pragma as ResultSet)).toBe(0);
    expect(await countOf(client, "child")).toBe(2);
  });
});
