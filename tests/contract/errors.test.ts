// Errors that the database itself reports, and the error classes.
import { describe, expect, test } from "vitest";
import { contract, contractOffline, libsqlRejection, prepare } from "./contract.ts";

contractOffline("error classes", (subject) => {
  test("LibsqlError has a code before its message", () => {
    const cause = new Error("below");
    const error = new subject.LibsqlError("what happened", "SOME_CODE", "SOME_CODE_MORE", 19, cause);
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe("LibsqlError");
    expect(error.message).toBe("SOME_CODE: what happened");
    expect(error.code).toBe("SOME_CODE");
    expect(error.extendedCode).toBe("SOME_CODE_MORE");
    expect(error.rawCode).toBe(19);
    expect(error.cause).toBe(cause);
    expect(String(error)).toBe("LibsqlError: SOME_CODE: what happened");
    expect(error.stack).toContain("errors.test.ts");
  });

  test("LibsqlError needs no more than a message and a code", () => {
    const error = new subject.LibsqlError("what happened", "SOME_CODE");
    expect(error.extendedCode).toBeUndefined();
    expect(error.rawCode).toBeUndefined();
    expect(error.cause).toBeUndefined();
  });

  test("LibsqlError without a code has a plain message", () => {
    const error = new subject.LibsqlError("what happened", undefined as unknown as string);
    expect(error.message).toBe("what happened");
  });

  test("LibsqlBatchError is a LibsqlError that knows its statement", () => {
    const cause = new Error("below");
    const error = new subject.LibsqlBatchError("what happened", 3, "SOME_CODE", "SOME_CODE_MORE", 19, cause);
    expect(error).toBeInstanceOf(Error);
    expect(error).toBeInstanceOf(subject.LibsqlError);
    expect(error).toBeInstanceOf(subject.LibsqlBatchError);
    expect(error.name).toBe("LibsqlBatchError");
    expect(error.message).toBe("SOME_CODE: what happened");
    expect(error.statementIndex).toBe(3);
    expect([error.code, error.extendedCode, error.rawCode, error.cause]).toStrictEqual([
      "SOME_CODE",
      "SOME_CODE_MORE",
      19,
      cause,
    ]);
  });

  test("a LibsqlError is no LibsqlBatchError", () => {
    expect(new subject.LibsqlError("what happened", "SOME_CODE")).not.toBeInstanceOf(subject.LibsqlBatchError);
  });

  test("an ordinary Error is no LibsqlError", () => {
    expect(new Error("what happened")).not.toBeInstanceOf(subject.LibsqlError);
    expect({ code: "SOME_CODE" }).not.toBeInstanceOf(subject.LibsqlError);
  });

  test("an application can extend LibsqlError", () => {
    class OwnError extends subject.LibsqlError {}
    const error = new OwnError("what happened", "SOME_CODE");
    expect(error).toBeInstanceOf(OwnError);
    expect(error).toBeInstanceOf(subject.LibsqlError);
    expect(new subject.LibsqlError("what happened", "SOME_CODE")).not.toBeInstanceOf(OwnError);
  });
});

contract("errors of the database", (peer) => {
  const statements: [string, string, string, string][] = [
    ["a syntax error", "SELEKT 1", "SQL_PARSE_ERROR", "syntax error"],
    ["an unfinished statement", "SELECT", "SQL_PARSE_ERROR", ""],
    ["no statement", " ", "SQL_NO_STATEMENT", ""],
    ["two statements", "SELECT 1; SELECT 2", "SQL_MANY_STATEMENTS", ""],
    ["an unknown column", "SELECT missing", "SQL_INPUT_ERROR", "no such column: missing"],
    ["an unknown function", "SELECT missing()", "SQL_INPUT_ERROR", "no such function: missing"],
    ["an unknown table", "SELECT * FROM missing", "SQLITE_UNKNOWN", "no such table: missing"],
    ["a table that is there already", "CREATE TABLE taken (a)", "SQL_INPUT_ERROR", "already exists"],
    [
      "a UNIQUE constraint",
      "INSERT INTO ruled (u, n) VALUES (1, 1)",
      "SQLITE_CONSTRAINT",
      "UNIQUE constraint failed: ruled.u",
    ],
    [
      "a NOT NULL constraint",
      "INSERT INTO ruled (u, n) VALUES (2, NULL)",
      "SQLITE_CONSTRAINT",
      "NOT NULL constraint failed: ruled.n",
    ],
    [
      "a CHECK constraint",
      "INSERT INTO ruled (u, n, c) VALUES (3, 1, -1)",
      "SQLITE_CONSTRAINT",
      "CHECK constraint failed",
    ],
    [
      "a foreign key",
      "INSERT INTO ruled (u, n, f) VALUES (4, 1, 99)",
      "SQLITE_CONSTRAINT",
      "FOREIGN KEY constraint failed",
    ],
    ["a value that is too large", "SELECT zeroblob(2147483648)", "SQLITE_TOOBIG", "too big"],
    ["a statement that the server forbids", "ATTACH DATABASE 'x' AS y", "SQL_PARSE_ERROR", ""],
  ];

  const withTables = async () => {
    const client = peer.open();
    await prepare(
      client,
      "DROP TABLE IF EXISTS ruled",
      "CREATE TABLE IF NOT EXISTS taken (id INTEGER PRIMARY KEY)",
      `CREATE TABLE ruled (u UNIQUE, n NOT NULL, c CHECK (c > 0), f REFERENCES taken (id))`,
      "INSERT INTO ruled (u, n) VALUES (1, 1)",
    );
    return client;
  };

  describe.each(statements)("%s", (_name, sql, code, text) => {
    test("rejects execute with its code and the server's words", async () => {
      const client = await withTables();
      const error = await libsqlRejection(peer, client.execute(sql), code);
      expect(error.message).toContain(text);
      expect(error.name).toBe("LibsqlError");
      expect(error).not.toBeInstanceOf(peer.LibsqlBatchError);
    });

    test("rejects batch and transaction with the same code", async () => {
      const client = await withTables();
      await libsqlRejection(peer, client.batch([sql], "write"), code);
      const transaction = await client.transaction("write");
      await transaction.execute("SELECT 1");
      await libsqlRejection(peer, transaction.execute(sql), code);
      transaction.close();
    });
  });

  test("an error has a cause with the server's words alone", async () => {
    const error = await libsqlRejection(peer, peer.open().execute("SELECT missing"));
    expect(error.cause).toBeInstanceOf(Error);
    expect(error.message).toBe(`${error.code}: ${(error.cause as Error).message}`);
  });

  test("an error of one statement does not spoil the next", async () => {
    const client = peer.open();
    for (let i = 0; i < 20; i++) {
      await libsqlRejection(peer, client.execute("SELECT missing"), "SQL_INPUT_ERROR");
      expect((await client.execute("SELECT 1")).rows).toHaveLength(1);
    }
  });

  test("fifty errors in a row are each the database's own", async () => {
    const client = await withTables();
    for (let i = 0; i < 50; i++) {
      await libsqlRejection(peer, client.execute("INSERT INTO ruled (u, n) VALUES (1, 1)"), "SQLITE_CONSTRAINT");
    }
  });

  test("no argument is shown in an error", async () => {
    const client = await withTables();
    const shown = "argument-not-to-be-shown";
    const failing = [
      () => client.execute({ sql: "INSERT INTO ruled (u, n) VALUES (1, ?)", args: [shown] }),
      () => client.execute({ sql: "SELECT ?, ?, ?", args: [shown, shown] }),
      () => client.batch([{ sql: "INSERT INTO ruled (u, n) VALUES (1, :a)", args: { a: shown } }], "write"),
    ];
    for (const call of failing) {
      const error = await libsqlRejection(peer, call());
      expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toContain(shown);
    }
  });

  test("an error can be logged and cloned", async () => {
    const error = await libsqlRejection(peer, peer.open().execute("SELECT missing"));
    expect(() => JSON.stringify(error)).not.toThrow();
    expect(JSON.parse(JSON.stringify(error))).toMatchObject({ code: "SQL_INPUT_ERROR" });
    expect(structuredClone(new Error(error.message)).message).toBe(error.message);
  });
});
