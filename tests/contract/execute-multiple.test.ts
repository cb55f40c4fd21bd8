import { describe, expect, test } from "vitest";
import { contract, countOf, libsqlRejection, onlyValue, prepare } from "./contract.ts";

contract("executeMultiple", (peer) => {
  const sumOf = async (client: ReturnType<typeof peer.open>, table: string) =>
    onlyValue(await client.execute(`SELECT SUM(a) FROM ${table}`));

  test("runs the statements in order and resolves with nothing", async () => {
    const client = peer.open();
    const outcome = await client.executeMultiple(`
      CREATE TABLE in_order (a);
      INSERT INTO in_order VALUES (1), (2), (4);
      UPDATE in_order SET a = a * 2;
    `);
    expect(outcome).toBeUndefined();
    expect(await sumOf(client, "in_order")).toBe(14);
  });

  test("ignores the results of queries among them", async () => {
    const client = peer.open();
    await client.executeMultiple("SELECT 1; CREATE TABLE after_query (a); SELECT * FROM after_query");
    expect(await countOf(client, "after_query")).toBe(0);
  });

  test.each([
    ["nothing", ""],
    ["white space", " \n\t "],
    ["a comment", "-- nothing here"],
    ["one statement without a semicolon", "SELECT 1"],
    ["empty statements", ";;SELECT 1;;"],
  ])("takes %s", async (_name, sql) => {
    await expect(peer.open().executeMultiple(sql)).resolves.toBeUndefined();
  });

  test("semicolons in text and comments do not split", async () => {
    const client = peer.open();
    await client.executeMultiple(`
      CREATE TABLE texts (a TEXT); -- first; only
      INSERT INTO texts VALUES ('one; two'); /* a; b */
      INSERT INTO texts VALUES ('it''s; three');
    `);
    expect((await client.execute("SELECT a FROM texts ORDER BY ROWID")).rows).toStrictEqual([
      { a: "one; two" },
      { a: "it's; three" },
    ]);
  });

  test("a trigger with statements of its own is one statement", async () => {
    const client = peer.open();
    await client.executeMultiple(`
      CREATE TABLE watched (a);
      CREATE TABLE log (a);
      CREATE TRIGGER watching AFTER INSERT ON watched BEGIN
        INSERT INTO log VALUES (new.a);
        INSERT INTO log VALUES (new.a + 1);
      END;
      INSERT INTO watched VALUES (10);
    `);
    expect(await sumOf(client, "log")).toBe(21);
  });

  test("text outside of ASCII is kept", async () => {
    const client = peer.open();
    await client.executeMultiple("CREATE TABLE horses (a); INSERT INTO horses VALUES ('kůň 🐎');");
    expect(onlyValue(await client.execute("SELECT a FROM horses"))).toBe("kůň 🐎");
  });

  describe("errors", () => {
    test("stop the statements after them and keep those before", async () => {
      const client = peer.open();
      const script = client.executeMultiple(`
        CREATE TABLE stopped (a);
        INSERT INTO stopped VALUES (1), (2), (4);
        INSERT INTO stopped VALUES (missing_function());
        INSERT INTO stopped VALUES (8);
      `);
      const error = await libsqlRejection(peer, script, "SQL_INPUT_ERROR");
      expect(error.message).toContain("missing_function");
      expect(await sumOf(client, "stopped")).toBe(7);
    });

    test("are not LibsqlBatchErrors", async () => {
      const error = await libsqlRejection(peer, peer.open().executeMultiple("SELECT missing_column"));
      expect(error).not.toBeInstanceOf(peer.LibsqlBatchError);
    });

    test("roll back a transaction of the script", async () => {
      const client = peer.open();
      const script = client.executeMultiple(`
        CREATE TABLE undone (a);
        INSERT INTO undone VALUES (1);
        BEGIN;
        INSERT INTO undone VALUES (2);
        INSERT INTO undone VALUES (missing_function());
        COMMIT;
      `);
      await libsqlRejection(peer, script);
      expect(await sumOf(client, "undone")).toBe(1);
    });

    test("of syntax are the server's", async () => {
      await libsqlRejection(peer, peer.open().executeMultiple("SELECT 1; SELEKT 2"), "SQL_PARSE_ERROR");
    });
  });

  test("a transaction of the script is committed by the script", async () => {
    const client = peer.open();
    await client.executeMultiple("CREATE TABLE kept (a); BEGIN; INSERT INTO kept VALUES (1), (2); COMMIT");
    expect(await sumOf(client, "kept")).toBe(3);
  });

  test("a transaction that the script leaves open is rolled back and blocks nobody", async () => {
    const client = peer.open();
    await prepare(client, "CREATE TABLE left_open (a)");
    await client.executeMultiple("BEGIN IMMEDIATE; INSERT INTO left_open VALUES (1)");
    await client.execute("INSERT INTO left_open VALUES (2)");
    expect(await sumOf(client, "left_open")).toBe(2);
  });
});
