import { describe, expect, test } from "vitest";
import { failureOf, LibsqlBatchError, LibsqlError } from "../src/errors.ts";
import { type Asked, cells, failed, fakeClient, obliging, ok, rejection, rowsOf } from "./fake-server.ts";

const closed = { type: "close" };
const notAutocommit = { type: "not", cond: { type: "is_autocommit" } };
const afterStep = (step: number) => ({ type: "and", conds: [{ type: "ok", step }, notAutocommit] });
const text = (status: number, body: string, type = "text/plain") =>
  new Response(body, { status, headers: { "content-type": type } });

describe("execute", () => {
  test("is one request that closes its stream", async () => {
    const { client, asked, operations } = fakeClient(obliging, { authToken: "t", remoteEncryptionKey: "k" });
    const set = await client.execute("SELECT ?", [1n]);
    expect(set.rows).toStrictEqual([{ n: 1 }]);
    expect(asked).toHaveLength(1);
    expect(asked[0]?.url).toBe("https://db.example.com/v3/pipeline");
    expect(asked[0]?.body).toEqual({
      requests: [{ type: "execute", stmt: { sql: "SELECT ?", args: [{ type: "integer", value: "1" }] } }, closed],
    });
    expect(asked[0]?.headers.get("authorization")).toBe("Bearer t");
    expect(asked[0]?.headers.get("x-turso-encryption-key")).toBe("k");
    expect(asked[0]?.headers.get("content-type")).toBe("application/json");
    expect(operations).toMatchObject([{ class: "query", kind: "read" }]);
  });

  test("takes a statement object, and refuses a bad value before the guard is asked", async () => {
    const { client, asked, operations } = fakeClient(obliging);
    await client.execute({ sql: "INSERT INTO t VALUES ($a)", args: { a: "x" } });
    expect(operations).toMatchObject([{ kind: "write" }]);
    await expect(client.execute("SELECT ?", [undefined as never])).rejects.toBeInstanceOf(TypeError);
    await expect(client.execute("SELECT ?", [Number.NaN])).rejects.toBeInstanceOf(RangeError);
    expect([asked.length, operations.length]).toEqual([1, 1]);
  });

  test("a path in the URL is kept up to its last slash", async () => {
    for (const [url, expected] of [
      ["https://gw.example.com/db/one/", "https://gw.example.com/db/one/v3/pipeline"],
      ["https://gw.example.com/db/one", "https://gw.example.com/db/v3/pipeline"],
    ]) {
      const { client, asked } = fakeClient(obliging, { url: url as string });
      await client.execute("SELECT 1");
      expect(asked[0]?.url).toBe(expected);
    }
  });

  test("the database's error passes through, with its facts", async () => {
    const { client } = fakeClient(() => ({
      baton: null,
      base_url: null,
      results: [failed("SQLITE_CONSTRAINT", "no"), ok("close")],
    }));
    const error = await rejection(client.execute("INSERT INTO t VALUES (1)"));
    expect(error).toBeInstanceOf(LibsqlError);
    expect(error).toMatchObject({ code: "SQLITE_CONSTRAINT", message: "SQLITE_CONSTRAINT: no" });
    expect(failureOf(error)).toEqual({ status: 200, code: "SQLITE_CONSTRAINT", sent: true });
  });

  test("a token function is asked for every request", async () => {
    let count = 0;
    const { client, asked } = fakeClient(obliging, { authToken: "old" }, { authToken: async () => `t${++count}` });
    await client.execute("SELECT 1");
    await client.execute("SELECT 1");
    expect(asked.map(({ headers }) => headers.get("authorization"))).toEqual(["Bearer t1", "Bearer t2"]);
  });
});

describe("a token", () => {
  test("loses the white space around it", async () => {
    const { client, asked } = fakeClient(obliging, { authToken: "t \r\n" });
    await client.execute("SELECT 1");
    expect(asked[0]?.headers.get("authorization")).toBe("Bearer t");
  });

  test("that no header can carry is refused, and not repeated in the message", async () => {
    const { client, asked } = fakeClient(obliging, { authToken: "hidden\ntoken" });
    const error = await rejection(client.execute("SELECT 1"));
    expect(error).toMatchObject({ code: "AUTH_TOKEN_INVALID" });
    expect(error.message).not.toContain("hidden");
    expect([failureOf(error)?.sent, asked.length]).toEqual([false, 0]);
  });
});

describe("HTTP failures", () => {
  test.each([
    [text(503, "overloaded"), 503, "SERVER_ERROR", "SERVER_ERROR: Server returned HTTP status 503: overloaded"],
    [text(502, "<h1>x</h1>", "text/html"), 502, "SERVER_ERROR", "SERVER_ERROR: Server returned HTTP status 502"],
    [text(401, '{"error":"Unauthorized"}', "application/json"), 401, "SERVER_ERROR", /401: Unauthorized$/],
    [text(400, '{"message":"bad","code":"SQL_X"}', "application/json"), 400, "SQL_X", "SQL_X: bad"],
    [text(429, ""), 429, "SERVER_ERROR", /429$/],
    [text(307, ""), 307, "SERVER_ERROR", /307$/],
  ])("%s", async (response, status, code, message) => {
    const { client } = fakeClient(() => response.clone());
    const error = await rejection(client.execute("SELECT 1"));
    expect(error).toBeInstanceOf(LibsqlError);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(failureOf(error)).toEqual({ status, code, sent: true });
  });

  test("carry the status where upstream carries it, and a message that is safe to print", async () => {
    const { client } = fakeClient(() => text(500, `\u001b[31m${"x".repeat(5_000)}`));
    const error = await rejection(client.execute("SELECT 1"));
    expect(error.cause).toMatchObject({ name: "HttpServerError", status: 500 });
    expect(error.message.length).toBeLessThan(400);
    expect(error.message).not.toContain("\u001b");
  });

  test.each([
    [Object.assign(new TypeError("fetch failed"), { cause: { code: "ECONNREFUSED" } }), "CONNECT_FAILED", false],
    [Object.assign(new TypeError("fetch failed"), { cause: { code: "ECONNRESET" } }), "CONNECTION_LOST", true],
    [new Error("Network connection lost."), "CONNECTION_LOST", true],
    ["a string", "CONNECTION_LOST", true],
  ])("a fetch that rejects with %s is %s", async (reason, code, sent) => {
    const { client } = fakeClient(() => Promise.reject(reason), { authToken: "hidden" });
    const error = await rejection(client.execute("SELECT 'secret'"));
    expect(error).toMatchObject({ name: "LibsqlError", code });
    expect(failureOf(error)).toEqual({ status: 0, code, sent });
    expect(error.message).toContain("https://db.example.com");
    expect(error.message).not.toMatch(/secret|hidden/);
  });

  test("an answer that breaks off is BODY_LOST", async () => {
    const body = new ReadableStream({ pull: (controller) => controller.error(new TypeError("terminated")) });
    const { client } = fakeClient(() => new Response(body));
    const error = await rejection(client.execute("SELECT 1"));
    expect(failureOf(error)).toEqual({ status: 200, code: "BODY_LOST", sent: true });
  });

  test("an answer that is not JSON is BAD_RESPONSE", async () => {
    const { client } = fakeClient(() => text(200, "<html>", "text/html"));
    expect(await rejection(client.execute("SELECT 1"))).toMatchObject({ code: "BAD_RESPONSE" });
  });

  test("an abort is ABORTED", async () => {
    const controller = new AbortController();
    const hanging = ({ signal }: { signal: AbortSignal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const { client } = fakeClient(hanging as never, {}, {}, controller.signal);
    const pending = rejection(client.execute("SELECT 1"));
    await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort();
    expect(failureOf(await pending)).toEqual({ status: 0, code: "ABORTED", sent: true });
    expect(failureOf(await rejection(client.execute("SELECT 1")))).toEqual({ status: 0, code: "ABORTED", sent: false });
  });
});

describe("batch", () => {
  test("guards every step by the one before it and by the open transaction", async () => {
    const { client, asked, operations } = fakeClient(obliging);
    const sets = await client.batch(["SELECT 1", ["SELECT ?", [2n]]], "write");
    expect(sets.map(({ rows }) => rows)).toEqual([[{ n: 1 }], [{ n: 1 }]]);
    expect(asked[0]?.body.requests).toEqual([
      {
        type: "batch",
        batch: {
          steps: [
            { stmt: { sql: "BEGIN IMMEDIATE" } },
            { condition: afterStep(0), stmt: { sql: "SELECT 1" } },
            { condition: afterStep(1), stmt: { sql: "SELECT ?", args: [{ type: "integer", value: "2" }] } },
            { condition: afterStep(2), stmt: { sql: "COMMIT" } },
            { condition: { type: "not", cond: { type: "ok", step: 3 } }, stmt: { sql: "ROLLBACK" } },
          ],
        },
      },
      closed,
    ]);
    expect(operations).toMatchObject([{ class: "batch", kind: "read" }]);
  });

  test.each([
    [["SELECT 1"], undefined, "read"],
    [["SELECT 1", "INSERT INTO t VALUES (1)"], undefined, "write"],
    [["SELECT 1", "PRAGMA x"], undefined, "unknown"],
    [["PRAGMA x"], "read", "read"],
  ])("%j in mode %s is judged %s", async (statements, mode, kind) => {
    const { client, operations } = fakeClient(obliging);
    await client.batch(statements, mode as never);
    expect(operations[0]?.kind).toBe(kind);
  });

  test("a migration turns foreign keys off around it", async () => {
    const { client, asked, operations } = fakeClient(obliging);
    const sets = await client.migrate(["CREATE TABLE a (b)"]);
    expect(sets).toHaveLength(1);
    const { steps } = (asked[0] as Asked).body.requests[0].batch;
    expect(steps.map((step: { stmt: { sql: string } }) => step.stmt.sql)).toEqual([
      "PRAGMA foreign_keys=off",
      "BEGIN DEFERRED",
      "CREATE TABLE a (b)",
      "COMMIT",
      "ROLLBACK",
      "PRAGMA foreign_keys=on",
    ]);
    expect(steps[2].condition).toEqual(afterStep(1));
    expect(operations[0]?.kind).toBe("write");
  });

  test("a text that is repeated is sent once, but only within the server's limit of bytes", async () => {
    const { client, asked } = fakeClient(obliging);
    const sql = `INSERT INTO t VALUES (?, '${"é".repeat(100)}')`;
    const tooLong = `SELECT '${"é".repeat(3_000)}'`;
    const statements = [...Array(20).fill({ sql, args: [1] }), tooLong, tooLong, "SELECT 2"];
    await client.batch(statements);
    const [store, batch] = (asked[0] as Asked).body.requests;
    expect(store).toEqual({ type: "store_sql", sql_id: 0, sql });
    const steps = batch.batch.steps;
    expect(steps[1].stmt).toEqual({ sql_id: 0, args: [{ type: "float", value: 1 }] });
    expect(steps[21].stmt).toEqual({ sql: tooLong });
    expect(steps[23].stmt).toEqual({ sql: "SELECT 2" });
  });

  test("a failed step is a LibsqlBatchError with its index", async () => {
    const steps = { step_results: [rowsOf([])], step_errors: [null, null, { code: "C", message: "m" }] };
    const { client } = fakeClient(() => ({ baton: null, base_url: null, results: [ok("batch", steps), ok("close")] }));
    const error = await rejection(client.batch(["SELECT 1"]));
    expect(error).toMatchObject({ code: "TRANSACTION_CLOSED", statementIndex: 0 });
    const both = { step_results: [rowsOf([]), rowsOf([])], step_errors: steps.step_errors };
    const second = fakeClient(() => ({ baton: null, base_url: null, results: [ok("batch", both), ok("close")] }));
    const failure = await rejection(second.client.batch(["SELECT 1", "SELECT 2"]));
    expect(failure).toBeInstanceOf(LibsqlBatchError);
    expect(failure).toMatchObject({ code: "C", statementIndex: 1 });
  });

  test("an unknown mode is a RangeError", async () => {
    const { client } = fakeClient(obliging);
    await expect(client.batch(["SELECT 1"], "x" as never)).rejects.toBeInstanceOf(RangeError);
    await expect(client.transaction("x" as never)).rejects.toBeInstanceOf(RangeError);
  });
});

describe("protocol version", () => {
  const onlyVersion2 = (asked: Parameters<typeof obliging>[0]) =>
    asked.url.endsWith("/v2/pipeline") ? obliging(asked) : text(404, "");

  test("a server without version 3 is asked once, then under version 2", async () => {
    const { client, asked } = fakeClient(onlyVersion2);
    await client.batch(["SELECT 1"], "read");
    await client.batch(["SELECT 1"], "read");
    expect(asked.map(({ url }) => url.slice(-11))).toEqual(["v3/pipeline", "v2/pipeline", "v2/pipeline"]);
    expect(asked[1]?.body.requests[0].batch.steps[1].condition).toEqual({ type: "ok", step: 0 });
    expect(JSON.stringify(asked[1]?.body)).not.toContain("is_autocommit");
  });

  test("a database that does not exist is a 404, not another version", async () => {
    const { client, asked } = fakeClient(() => text(404, '{"error":"no such namespace"}', "application/json"));
    expect(await rejection(client.execute("SELECT 1"))).toMatchObject({ code: "SERVER_ERROR" });
    expect(asked).toHaveLength(2);
  });

  test("once settled, a 404 is an error", async () => {
    let isGone = false;
    const { client, asked } = fakeClient((one) => (isGone ? text(404, "") : obliging(one)));
    await client.execute("SELECT 1");
    isGone = true;
    expect(failureOf(await rejection(client.execute("SELECT 1")))?.status).toBe(404);
    expect(asked).toHaveLength(2);
  });
});

describe("the client itself", () => {
  test("executeMultiple sends a script and closes", async () => {
    const { client, asked, operations } = fakeClient(obliging);
    await expect(client.executeMultiple("A; B")).resolves.toBeUndefined();
    // The answer to a script does not say how far the log is, so that is asked for behind it.
    expect(asked[0]?.body.requests).toMatchObject([{ type: "sequence", sql: "A; B" }, { type: "batch" }, closed]);
    expect(operations).toMatchObject([{ class: "batch", kind: "write" }]);
  });

  test("refuses when closed, and works again after reconnect", async () => {
    const { client } = fakeClient(obliging);
    expect([client.closed, client.protocol]).toEqual([false, "http"]);
    client.close();
    client.close();
    expect(client.closed).toBe(true);
    for (const refused of [
      client.execute("SELECT 1"),
      client.batch(["SELECT 1"]),
      client.migrate([]),
      client.executeMultiple(""),
      client.transaction("read"),
    ]) {
      expect(await rejection(refused)).toMatchObject({ code: "CLIENT_CLOSED" });
    }
    await client.reconnect();
    expect(client.closed).toBe(false);
    expect((await client.execute("SELECT 1")).rows).toStrictEqual([{ n: 1 }]);
  });

  test("does not sync, and says so at once", () => {
    const { client } = fakeClient(obliging);
    expect(() => client.sync()).toThrow(/SYNC_NOT_SUPPORTED/);
  });

  test("what was sent before close still ends", async () => {
    const { client } = fakeClient(obliging);
    const pending = client.execute("SELECT 1");
    client.close();
    expect((await pending).rows).toStrictEqual([{ n: 1 }]);
  });

  test("rows come back in the mode asked for", async () => {
    const answer = () => ({
      baton: null,
      base_url: null,
      results: [ok("execute", { ...rowsOf(["n"], cells(5)), last_insert_rowid: "7" }), ok("close")],
    });
    expect((await fakeClient(answer, { intMode: "bigint" }).client.execute("SELECT 1")).rows[0]?.n).toBe(5n);
    const set = await fakeClient(answer, { intMode: "string" }).client.execute("SELECT 1");
    expect([set.rows[0]?.n, set.lastInsertRowid]).toEqual(["5", 7n]);
  });
});
