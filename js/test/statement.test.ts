// Statements as they cross the boundary. What each one is, the Rust rings prove.

import { expect, test } from "vitest";
import { normalText } from "../src/core.ts";
import { Statements, tableHash } from "../src/statement.ts";
import { guardOf } from "./guards.ts";

test("kind, verb and tables arrive in words and numbers", () => {
  const statements = new Statements();
  expect(statements.of('SELECT * FROM main."Users" JOIN posts USING (id)')).toEqual({
    kind: "read",
    verb: "select",
    isCacheable: true,
    touchesEverything: false,
    reads: Uint32Array.of(tableHash("users"), tableHash("POSTS")),
    writes: new Uint32Array(0),
  });
  expect(statements.of("INSERT INTO report SELECT * FROM users")).toMatchObject({
    kind: "write",
    verb: "insert",
    isCacheable: false,
    touchesEverything: false,
    reads: Uint32Array.of(tableHash("users")),
    writes: Uint32Array.of(tableHash("report")),
  });
  expect(statements.of("SELECT random()")).toMatchObject({ kind: "read", isCacheable: false });
  expect(statements.of("DROP TABLE users")).toMatchObject({ kind: "write", verb: "schema", touchesEverything: true });
  expect(statements.of("EXPLAIN SELECT 1")).toMatchObject({ kind: "read", verb: "explain" });
  expect(statements.of("")).toMatchObject({ kind: "unknown", verb: "other", touchesEverything: true });
});

test("a text is described once, unless it is so long that it will not come again", () => {
  const statements = new Statements();
  const once = statements.of("SELECT 1");
  expect(statements.of("SELECT 1")).toBe(once);
  for (let number = 0; number < 499; number += 1) statements.of(`SELECT ${number} AS n`);
  expect(statements.of("SELECT 1")).toBe(once);
  statements.of("SELECT 'one more'");
  expect(statements.of("SELECT 1")).not.toBe(once);
  const long = `SELECT '${"x".repeat(4_000)}'`;
  expect(statements.of(long)).toEqual(once);
  expect(statements.of(long)).not.toBe(statements.of(long));
});

test("a guard tells what it knows of a statement", () => {
  const guard = guardOf();
  expect(guard.statementOf("DELETE FROM t").verb).toBe("delete");
  expect(guard.kindOf("DELETE FROM t")).toBe("write");
});

test("the normal text holds no literal", () => {
  expect(normalText("SELECT * FROM Users WHERE name = 'Ann' AND id IN (1, ?2, :c) -- Bob")).toBe(
    "select * from users where name = ? and id in (?)",
  );
});
