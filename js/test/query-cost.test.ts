// What a statement would cost is asked once, before it runs; what goes wrong with asking blocks nothing.

import { describe, expect, test, vi } from "vitest";
import { openClient } from "../src/client.ts";
import type { SeawallOptions } from "../src/config/options.ts";
import { QueryTooExpensiveError } from "../src/errors.ts";
import { cells, ok, rowsOf } from "./fake-server.ts";
import { handSetClock, platformOf, rejection } from "./guards.ts";

handSetClock();

const PLAN = ["id", "parent", "notused", "detail"];
const SCAN = "SELECT * FROM big WHERE x LIKE '%a'";
const SEARCH = "SELECT * FROM big WHERE id = 1";

/** A client before a database that knows two plans and one size, and the statements that reached it. */
function clientOf(queryCost: SeawallOptions["queryCost"], own: SeawallOptions = {}, isSized = true) {
  const sent: string[] = [];
  const fetch = async (request: Request) => {
    const body = JSON.parse(await request.text());
    // biome-ignore lint/suspicious/noExplicitAny: the request is what the client made it.
    const results = body.requests.map(({ type, stmt, batch }: any) => {
      if (type === "batch") {
        // biome-ignore lint/suspicious/noExplicitAny: the same.
        sent.push(...batch.steps.map((step: any) => step.stmt.sql));
        const steps = batch.steps.map(() => rowsOf(["n"], cells(1)));
        return ok("batch", { step_results: steps, step_errors: steps.map(() => null) });
      }
      if (type !== "execute") return ok(type);
      sent.push(stmt.sql);
      if (stmt.sql.includes("broken")) return { type: "error", error: { code: "SQL_PARSE_ERROR", message: "no" } };
      if (stmt.sql.includes("rowid")) {
        if (!isSized) return { type: "error", error: { code: "SQLITE_ERROR", message: "no such table" } };
        return ok("execute", rowsOf(["rows"], cells(5_000)));
      }
      if (!stmt.sql.startsWith("EXPLAIN")) return ok("execute", rowsOf(["n"], cells(1)));
      const detail = stmt.sql.includes("LIKE") ? "SCAN big" : "SEARCH big USING INTEGER PRIMARY KEY (rowid=?)";
      return ok("execute", rowsOf(PLAN, cells(2, 0, 0, detail)));
    });
    return Response.json({ baton: body.requests.at(-1)?.type === "close" ? null : "b", base_url: null, results });
  };
  const seawall = { queryCost, ...own } as SeawallOptions;
  const { client } = openClient({ url: "https://db.example.com", fetch, seawall }, platformOf());
  return { client, sent };
}

describe("query cost", () => {
  test("TIER-11: a statement above the limit is not run, with estimate and limit in the error", async () => {
    const { client, sent } = clientOf({ limit: 1_000 });
    const error = await rejection(client.execute(SCAN));
    expect(error).toBeInstanceOf(QueryTooExpensiveError);
    expect(error).toMatchObject({
      code: "QUERY_TOO_EXPENSIVE",
      estimate: 5_000,
      limit: 1_000,
      outcome: "not_executed",
    });
    expect(error.message).not.toContain("LIKE");
    expect(sent).toEqual([`EXPLAIN QUERY PLAN ${SCAN}`, expect.stringContaining('max(rowid) FROM "big"')]);
    expect(client.seawall.status().breaker).toMatchObject({ state: "CLOSED", failures: 0 });
    await client.execute(SEARCH);
    expect(sent.slice(2)).toEqual([`EXPLAIN QUERY PLAN ${SEARCH}`, SEARCH]);
  });

  test("TIER-11: each text is asked about once, until its time is over", async () => {
    const { client, sent } = clientOf({ limit: 1_000, ttl: 60_000 });
    for (let call = 0; call < 5; call += 1) {
      await client.execute(SEARCH);
      await rejection(client.execute(SCAN));
    }
    expect(sent.filter((sql) => sql.startsWith("EXPLAIN"))).toHaveLength(2);
    expect(sent.filter((sql) => sql === SCAN)).toHaveLength(0);
    expect(sent.filter((sql) => sql === SEARCH)).toHaveLength(5);
    await vi.advanceTimersByTimeAsync(60_000);
    await client.execute(SEARCH);
    expect(sent.filter((sql) => sql.startsWith("EXPLAIN"))).toHaveLength(3);
  });

  test("TIER-11: a size that was given wins, and what nobody knows counts as SQLite guesses", async () => {
    await clientOf({ limit: 1_000, tableRows: { big: 900 } }).client.execute(SCAN);
    const error = await rejection(clientOf({ limit: 1_000 }, {}, false).client.execute(SCAN));
    expect(error).toMatchObject({ estimate: 1_048_576 });
  });

  test("what cannot be explained runs, and so does what has no plan", async () => {
    const { client, sent } = clientOf({ limit: 0 });
    expect(await rejection(client.execute("SELECT broken"))).toMatchObject({ code: "SQL_PARSE_ERROR" });
    expect(sent.at(-1)).toBe("SELECT broken");
    await client.execute("PRAGMA table_info(big)");
    expect(sent.at(-1)).toBe("PRAGMA table_info(big)");
  });

  test("batches and statements of transactions are asked about too, in their order", async () => {
    const { client, sent } = clientOf({ limit: 1_000 });
    expect(await rejection(client.batch([SEARCH, SCAN]))).toMatchObject({ code: "QUERY_TOO_EXPENSIVE" });
    expect(sent.some((sql) => !/EXPLAIN|rowid/.test(sql))).toBe(false);
    const transaction = await client.transaction("write");
    expect(await rejection(transaction.execute(SCAN))).toMatchObject({ code: "QUERY_TOO_EXPENSIVE" });
    sent.length = 0;
    await Promise.all([transaction.execute("UPDATE big SET x = 1 WHERE id = 1"), transaction.execute(SEARCH)]);
    const own = sent.filter((sql) => !/EXPLAIN|rowid|BEGIN/.test(sql));
    expect(own).toEqual(["UPDATE big SET x = 1 WHERE id = 1", SEARCH]);
    await transaction.commit();
  });

  test("without a limit nothing is asked, and a limit that is none is refused", async () => {
    const { client, sent } = clientOf(undefined);
    await client.execute(SCAN);
    expect(sent).toEqual([SCAN]);
    expect(() => clientOf({ limit: Number.NaN })).toThrow("queryCost.limit must be a number from 0 on");
    expect(() => clientOf({ limit: 1, tableRows: { big: -1 } })).toThrow("queryCost.tableRows.big");
  });

  test("asking takes nothing of the tenant's rate", async () => {
    const { client } = clientOf({ limit: 1_000 }, { rateLimit: { rate: 1, burst: 2 } });
    await client.execute(SEARCH);
    await client.execute(SEARCH);
    expect(await rejection(client.execute(SEARCH))).toMatchObject({ code: "RATE_LIMITED" });
  });
});
