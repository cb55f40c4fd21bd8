import type { InStatement } from "@libsql/client/web";
import { describe, expect, test } from "vitest";
import {
  batchRejection,
  checkLibsqlError,
  contract,
  countOf,
  differs,
  libsqlRejection,
  onlyValue,
  prepare,
} from "./contract.ts";

contract("statements of a transaction", (peer) => {
  /** A client with an empty table. */
  const withTable = async (table: string, column = "a") => {
    const client = peer.open();
    await prepare(client, `DROP TABLE IF EXISTS ${table}`, `CREATE TABLE ${table} (${column})`);
    return client;
  };

  describe("statements", () => {
    test.each<[string, InStatement]>([
      ["a string", "SELECT 'x'"],
      ["an object", { sql: "SELECT 'x'" }],
      ["positional arguments", { sql: "SELECT ?", args: ["x"] }],
      ["named arguments", { sql: "SELECT :a", args: { a: "x" } }],
    ])("%s", async (_name, statement) => {
      const transaction = await peer.open().transaction("read");
      expect(onlyValue(await transaction.execute(statement))).toBe("x");
      expect(onlyValue(await transaction.execute(statement))).toBe("x");
      transaction.close();
    });

    test("have results like those of the client", async () => {
      const client = await withTable("resulted", "id INTEGER PRIMARY KEY, a TEXT");
      const transaction = await client.transaction("write");
      const inserted = await transaction.execute("INSERT INTO resulted (a) VALUES ('x'), ('y')");
      expect([inserted.rowsAffected, inserted.lastInsertRowid]).toStrictEqual([2, 2n]);
      const selected = await transaction.execute("SELECT id, a FROM resulted ORDER BY id");
      expect(selected.columns).toStrictEqual(["id", "a"]);
      expect(selected.columnTypes).toStrictEqual(["INTEGER", "TEXT"]);
      expect(selected.rows).toStrictEqual([
        { id: 1, a: "x" },
        { id: 2, a: "y" },
      ]);
      await transaction.rollback();
    });

    test("sent without waiting run in order", async () => {
      const client = await withTable("pipelined");
      const transaction = await client.transaction("write");
      const inserts = Array.from({ length: 10 }, (_, i) =>
        transaction.execute({ sql: "INSERT INTO pipelined VALUES (?) RETURNING ROWID", args: [i] }),
      );
      const rowids = (await Promise.all(inserts)).map((result) => onlyValue(result));
      expect(rowids).toStrictEqual(Array.from({ length: 10 }, (_, i) => i + 1));
      await transaction.commit();
      expect(await countOf(client, "pipelined")).toBe(10);
    });

    test("commit called without waiting for a statement comes after it", async () => {
      const client = await withTable("awaited");
      const transaction = await client.transaction("write");
      const inserted = transaction.execute("INSERT INTO awaited VALUES (1)");
      await Promise.all([inserted, transaction.commit()]);
      expect(await countOf(client, "awaited")).toBe(1);
    });

    test("of a hundred different texts, twice over", async () => {
      const transaction = await peer.open().transaction("read");
      for (let round = 0; round < 2; round++) {
        const results = await transaction.batch(Array.from({ length: 100 }, (_, i) => `SELECT ${i}`));
        expect(results.map((result) => onlyValue(result))).toStrictEqual(Array.from({ length: 100 }, (_, i) => i));
      }
      for (let i = 0; i < 40; i++) expect(onlyValue(await transaction.execute(`SELECT ${i} + 1`))).toBe(i + 1);
      transaction.close();
    });
  });

  describe("errors", () => {
    test("do not roll back", async () => {
      const client = await withTable("survived");
      const transaction = await client.transaction("write");
      await libsqlRejection(peer, transaction.execute("SELECT missing_column"), "SQL_INPUT_ERROR");
      await transaction.execute("INSERT INTO survived VALUES (1)");
      await libsqlRejection(peer, transaction.execute("SELEKT"), "SQL_PARSE_ERROR");
      expect(transaction.closed).toBe(false);
      await transaction.commit();
      expect(await countOf(client, "survived")).toBe(1);
    });

    test("of a constraint do not roll back", async () => {
      const client = await withTable("constrained", "a UNIQUE");
      const transaction = await client.transaction("write");
      await transaction.execute("INSERT INTO constrained VALUES (1)");
      const failed = transaction.execute("INSERT INTO constrained VALUES (1)");
      expect((await libsqlRejection(peer, failed, "SQLITE_CONSTRAINT")).message).toContain("constrained.a");
      await transaction.execute("INSERT INTO constrained VALUES (2)");
      await transaction.commit();
      expect(await countOf(client, "constrained")).toBe(2);
    });

    test("of one statement are those of a batch of one", async () => {
      const transaction = await peer.open().transaction("read");
      await batchRejection(peer, transaction.execute("SELECT missing_column"), 0, "SQL_INPUT_ERROR");
      await batchRejection(peer, transaction.execute("SELECT missing_column"), 0, "SQL_INPUT_ERROR");
      transaction.close();
    });

    test("of syntax in the first statement never let later ones run outside of a transaction", async () => {
      const client = await withTable("first_failed");
      const transaction = await client.transaction("write");
      await libsqlRejection(peer, transaction.execute("SELEKT"), "SQL_PARSE_ERROR");
      await transaction.execute("INSERT INTO first_failed VALUES (1)").catch((error: unknown) => {
        checkLibsqlError(peer, error, "TRANSACTION_CLOSED");
      });
      await transaction.rollback();
      expect(await countOf(client, "first_failed")).toBe(0);
    });

    test("of missing arguments leave it usable", async () => {
      const transaction = await peer.open().transaction("read");
      await libsqlRejection(peer, transaction.execute({ sql: "SELECT ?, ?", args: [1] }), "ARGS_INVALID");
      expect(onlyValue(await transaction.execute("SELECT 1"))).toBe(1);
      transaction.close();
    });
  });

  describe("batch", () => {
    const inserts = (table: string): InStatement[] => [
      { sql: `INSERT INTO ${table} VALUES (?)`, args: [1] },
      { sql: `INSERT INTO ${table} VALUES (:a)`, args: { a: 2 } },
      `INSERT INTO ${table} VALUES (4)`,
    ];
    const sum = "SELECT SUM(a) FROM";

    test("as the first operation", async () => {
      const transaction = await peer.open().transaction("write");
      const results = await transaction.batch(["CREATE TABLE first_batch (a)", ...inserts("first_batch")]);
      expect(results).toHaveLength(4);
      expect(onlyValue(await transaction.execute(`${sum} first_batch`))).toBe(7);
      transaction.close();
    });

    test("as a later operation", async () => {
      const transaction = await peer.open().transaction("write");
      await transaction.execute("CREATE TABLE later_batch (a)");
      await transaction.batch(inserts("later_batch"));
      expect(onlyValue(await transaction.execute(`${sum} later_batch`))).toBe(7);
      transaction.close();
    });

    test("of nothing gives nothing, first and later", async () => {
      const transaction = await peer.open().transaction("read");
      expect(await transaction.batch([])).toStrictEqual([]);
      expect(await transaction.batch([])).toStrictEqual([]);
      transaction.close();
    });

    test("of pairs", async () => {
      const transaction = await peer.open().transaction("read");
      const pairs = [["SELECT ?", ["x"]], ["SELECT 'y'"]] as unknown as InStatement[];
      expect((await transaction.batch(pairs)).map((result) => onlyValue(result))).toStrictEqual(["x", "y"]);
      transaction.close();
    });

    test.each([true, false])(
      "a failure stops those after it and keeps those before (first operation: %s)",
      async (first) => {
        const client = await withTable("part", "a UNIQUE");
        const transaction = await client.transaction("write");
        if (!first) await transaction.execute("SELECT 1");
        const batch = transaction.batch([
          "INSERT INTO part VALUES (1), (2), (4)",
          "INSERT INTO part VALUES (1)",
          "INSERT INTO part VALUES (8)",
        ]);
        await batchRejection(peer, batch, 1, "SQLITE_CONSTRAINT");
        expect(transaction.closed).toBe(false);
        expect(onlyValue(await transaction.execute(`${sum} part`))).toBe(7);
        await transaction.commit();
        expect(onlyValue(await client.execute(`${sum} part`))).toBe(7);
      },
    );
  });

  describe("executeMultiple", () => {
    const script = (table: string) => `
      CREATE TABLE ${table} (a UNIQUE);
      INSERT INTO ${table} VALUES (1), (2), (4), (8);
    `;

    test("as the first operation", async () => {
      const transaction = await peer.open().transaction("write");
      await expect(transaction.executeMultiple(script("first_script"))).resolves.toBeUndefined();
      expect(onlyValue(await transaction.execute("SELECT SUM(a) FROM first_script"))).toBe(15);
      transaction.close();
    });

    test("as a later operation", async () => {
      const client = peer.open();
      const transaction = await client.transaction("write");
      await transaction.execute("SELECT 1");
      await transaction.executeMultiple(script("later_script"));
      await transaction.rollback();
      await libsqlRejection(peer, client.execute("SELECT * FROM later_script"));
    });

    test("a failure stops what comes after it and does not roll back", async () => {
      const client = peer.open();
      const transaction = await client.transaction("write");
      const failing = `${script("part_script")} INSERT INTO part_script VALUES (1); INSERT INTO part_script VALUES (16);`;
      await libsqlRejection(peer, transaction.executeMultiple(failing), "SQLITE_CONSTRAINT");
      expect(onlyValue(await transaction.execute("SELECT SUM(a) FROM part_script"))).toBe(15);
      await transaction.commit();
      expect(await countOf(client, "part_script")).toBe(4);
    });
  });

  differs(peer, "a transaction takes SQL of under 5,000 characters and over 5,000 bytes", {
    upstream: async () => {
      const transaction = await peer.open().transaction("read");
      const error = await libsqlRejection(peer, transaction.execute(`SELECT '${"é".repeat(3_000)}'`));
      expect(error.message).toMatch(/not found|too large/i);
      transaction.close();
    },
    ours: async () => {
      const long = "é".repeat(3_000);
      const transaction = await peer.open().transaction("read");
      expect(onlyValue(await transaction.execute(`SELECT '${long}'`))).toBe(long);
      expect(onlyValue(await transaction.execute("SELECT 1"))).toBe(1);
      await transaction.commit();
    },
  });
});
