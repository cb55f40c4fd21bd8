import { describe, expect, test } from "vitest";
import { contract, libsqlRejection, onlyRow, onlyValue, prepare } from "./contract.ts";

contract("limits", (peer) => {
  describe("large values", () => {
    test("a megabyte of bytes, there and back", async () => {
      const bytes = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 31 + (i >> 8)) & 0xff);
      const result = await peer.open().execute({ sql: "SELECT ?", args: [bytes] });
      expect(Buffer.compare(Buffer.from(onlyValue(result) as ArrayBuffer), bytes)).toBe(0);
    });

    test.each([0, 1, 2, 3, 4, 5, 255, 256, 257])("a blob of %i bytes", async (length) => {
      const bytes = new Uint8Array(length).fill(0xfb);
      const result = await peer.open().execute({ sql: "SELECT ?, length(?1)", args: [bytes] });
      expect(new Uint8Array(onlyRow(result)[0] as ArrayBuffer)).toStrictEqual(bytes);
      expect(onlyRow(result)[1]).toBe(length);
    });

    test("a megabyte of text outside of ASCII, there and back", async () => {
      const text = "příliš žluťoučký 🐎 ".repeat(40_000);
      const result = await peer.open().execute({ sql: "SELECT ?, length(?1)", args: [text] });
      expect(onlyRow(result)[0] === text).toBe(true);
      expect(onlyRow(result)[1]).toBe(Array.from(text).length);
    });

    test("a statement of a megabyte", async () => {
      const text = "x".repeat(1 << 20);
      expect(onlyValue(await peer.open().execute(`SELECT length('${text}')`))).toBe(1 << 20);
    });
  });

  describe("many rows and columns", () => {
    test("ten thousand rows", async () => {
      const sql =
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9999) SELECT i, 'row ' || i AS t FROM n";
      const { rows } = await peer.open().execute(sql);
      expect(rows).toHaveLength(10_000);
      expect(rows.every((row, i) => row[0] === i && row.t === `row ${i}`)).toBe(true);
    });

    test("five hundred columns", async () => {
      const columns = Array.from({ length: 500 }, (_, i) => `${i} AS c${i}`);
      const row = onlyRow(await peer.open().execute(`SELECT ${columns.join()}`));
      expect(row.length).toBe(500);
      expect([row[0], row[499], row.c499]).toStrictEqual([0, 499, 499]);
    });

    test("a thousand arguments", async () => {
      const args = Array.from({ length: 1_000 }, (_, i) => i);
      const sql = `SELECT ${args.map(() => "?").join(" + ")}`;
      expect(onlyValue(await peer.open().execute({ sql, args }))).toBe(499_500);
    });

    test("five thousand inserted rows in one statement", async () => {
      const client = peer.open();
      await prepare(client, "CREATE TABLE bulk (a)");
      const values = Array.from({ length: 5_000 }, (_, i) => `(${i})`);
      expect((await client.execute(`INSERT INTO bulk VALUES ${values.join()}`)).rowsAffected).toBe(5_000);
    });
  });

  test("a result above the server's limit is an error, and the client works afterwards", async () => {
    const client = peer.open();
    const sql =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12) SELECT zeroblob(1000000) FROM n";
    await libsqlRejection(peer, client.execute(sql), "RESPONSE_TOO_LARGE");
    expect(onlyValue(await client.execute("SELECT 1"))).toBe(1);
  });

  test("text with a NUL in the middle is kept when bound", async () => {
    const result = await peer.open().execute({ sql: "SELECT hex(?)", args: ["a\0b"] });
    expect(onlyValue(result)).toBe("610062");
  });

  test("half of a surrogate pair is refused or replaced, and the client works afterwards", async () => {
    const client = peer.open();
    const outcome = await client
      .execute({ sql: "SELECT ?", args: ["a\ud800b"] })
      .then(onlyValue)
      .catch((error: unknown) => error);
    if (outcome !== "a\ufffdb") expect(outcome).toBeInstanceOf(peer.LibsqlError);
    expect(onlyValue(await client.execute("SELECT 1"))).toBe(1);
  });
});
