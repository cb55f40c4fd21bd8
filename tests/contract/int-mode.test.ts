import type { IntMode } from "@libsql/client/web";
import { describe, expect, test } from "vitest";
import { contract, onlyRow, onlyValue, prepare, rejection } from "./contract.ts";

contract("intMode", (peer) => {
  const select = async (intMode: IntMode, expression: string) =>
    onlyValue(await peer.open({ intMode }).execute(`SELECT ${expression}`));

  describe("integers come back as the mode says", () => {
    test.each<[IntMode, string, unknown]>([
      ["number", "0", 0],
      ["number", "-42", -42],
      ["number", "9007199254740991", 9007199254740991],
      ["number", "-9007199254740991", -9007199254740991],
      ["bigint", "0", 0n],
      ["bigint", "-42", -42n],
      ["bigint", "9007199254740993", 9007199254740993n],
      ["bigint", "9223372036854775807", 9223372036854775807n],
      ["bigint", "-9223372036854775807 - 1", -9223372036854775808n],
      ["string", "0", "0"],
      ["string", "-42", "-42"],
      ["string", "9223372036854775807", "9223372036854775807"],
      ["string", "-9223372036854775807 - 1", "-9223372036854775808"],
    ])("%s: %s", async (intMode, expression, expected) => {
      expect(await select(intMode, expression)).toStrictEqual(expected);
    });
  });

  describe("number refuses what it cannot hold", () => {
    test.each(["9007199254740992", "-9007199254740992", "9223372036854775807"])("%s", async (expression) => {
      expect(await rejection(select("number", expression))).toBeInstanceOf(RangeError);
    });

    test("in any row and column", async () => {
      const sql = "SELECT 1 AS a, 'x' AS b UNION ALL SELECT 9007199254740993, 'y'";
      expect(await rejection(peer.open().execute(sql))).toBeInstanceOf(RangeError);
    });

    test("in a batch", async () => {
      expect(await rejection(peer.open().batch(["SELECT 1", "SELECT 9007199254740993"]))).toBeInstanceOf(RangeError);
    });

    test("in a transaction", async () => {
      const transaction = await peer.open().transaction("read");
      expect(await rejection(transaction.execute("SELECT 9007199254740993"))).toBeInstanceOf(RangeError);
      transaction.close();
    });

    test("and the client works afterwards", async () => {
      const client = peer.open();
      await rejection(client.execute("SELECT 9007199254740993"));
      expect(onlyValue(await client.execute("SELECT 1"))).toBe(1);
    });
  });

  test("number is the mode when none is named", async () => {
    expect(onlyValue(await peer.open().execute("SELECT 42"))).toBe(42);
  });

  test.each<IntMode>(["number", "bigint", "string"])("%s leaves reals, text, null and blobs alone", async (intMode) => {
    const row = onlyRow(await peer.open({ intMode }).execute("SELECT 1.0, 1e18, '7', NULL, X'07'"));
    expect(Array.from(row as ArrayLike<unknown>)).toStrictEqual([1, 1e18, "7", null, Uint8Array.of(7).buffer]);
  });

  test.each<[IntMode, unknown, unknown]>([
    ["number", 1, 0],
    ["bigint", 1n, 0n],
    ["string", "1", "0"],
  ])("%s holds for bound booleans", async (intMode, yes, no) => {
    const row = onlyRow(await peer.open({ intMode }).execute({ sql: "SELECT ?, ?", args: [true, false] }));
    expect(Array.from(row as ArrayLike<unknown>)).toStrictEqual([yes, no]);
  });

  test.each<[IntMode, unknown]>([
    ["bigint", 42n],
    ["string", "42"],
  ])("%s holds in batch, transaction and migrate", async (intMode, expected) => {
    const client = peer.open({ intMode });
    const [fromBatch] = await client.batch(["SELECT 42"]);
    expect(onlyValue(fromBatch as NonNullable<typeof fromBatch>)).toStrictEqual(expected);
    const [fromMigrate] = await client.migrate(["SELECT 42"]);
    expect(onlyValue(fromMigrate as NonNullable<typeof fromMigrate>)).toStrictEqual(expected);
    const transaction = await client.transaction("read");
    expect(onlyValue(await transaction.execute("SELECT 42"))).toStrictEqual(expected);
    transaction.close();
  });

  test("bigint survives a reconnect", async () => {
    const client = peer.open({ intMode: "bigint" });
    await client.reconnect();
    expect(onlyValue(await client.execute("SELECT 42"))).toBe(42n);
  });

  test.each<IntMode>(["number", "bigint", "string"])("%s does not change rowsAffected", async (intMode) => {
    const client = peer.open({ intMode });
    await prepare(client, "DROP TABLE IF EXISTS affected", "CREATE TABLE affected (a)");
    const result = await client.execute("INSERT INTO affected VALUES (1), (2)");
    expect(result.rowsAffected).toBe(2);
    expect(result.lastInsertRowid).toBe(2n);
  });
});
