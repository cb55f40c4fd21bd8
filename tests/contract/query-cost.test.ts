// What a statement would cost, asked of a real server.
import { createClient, QueryTooExpensiveError } from "seawall";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startSqld } from "../support/sqld.mjs";

let sqld: Awaited<ReturnType<typeof startSqld>>;

beforeAll(async () => {
  sqld = await startSqld();
  const client = createClient({ url: sqld.url });
  await client.batch(
    [
      "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, city TEXT)",
      "CREATE INDEX by_name ON users (name)",
      `INSERT INTO users (name, city) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
       SELECT 'name ' || i, 'city ' || (i % 7) FROM n`,
    ],
    "write",
  );
  client.close();
});
afterAll(() => sqld?.stop());

const open = (limit: number) =>
  createClient({ url: sqld.url, seawall: { queryCost: { limit }, retry: { attempts: 1 } } });

test("TIER-11: a real server's plan blocks a scan and lets a search through", async () => {
  const client = open(1_000);
  const scan = await client.execute("SELECT count(*) FROM users WHERE city LIKE '%3'").catch((error) => error);
  expect(scan).toBeInstanceOf(QueryTooExpensiveError);
  expect(scan).toMatchObject({ estimate: 3_000, limit: 1_000, outcome: "not_executed" });
  const join = await client.execute("SELECT count(*) FROM users AS users, users AS b").catch((error) => error);
  expect(join.estimate).toBeGreaterThan(3_000_000);
  const found = await client.execute({ sql: "SELECT id FROM users WHERE name = ?", args: ["name 42"] });
  expect(found.rows).toHaveLength(1);
  expect((await client.execute({ sql: "SELECT name FROM users WHERE id = ?", args: [7] })).rows).toHaveLength(1);
  client.close();
});

test("TIER-11: a write that would visit everything is not run, and one that cannot be explained gets the server's own error", async () => {
  const client = open(1_000);
  await expect(client.execute("UPDATE users SET city = 'none'")).rejects.toMatchObject({ code: "QUERY_TOO_EXPENSIVE" });
  await expect(client.execute("SELECT * FROM nothing")).rejects.toMatchObject({ code: expect.stringMatching(/SQL/) });
  client.close();
  const plain = createClient({ url: sqld.url });
  expect((await plain.execute("SELECT count(*) AS n FROM users WHERE city = 'none'")).rows[0]?.n).toBe(0);
  plain.close();
});
