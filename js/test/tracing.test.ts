// Traces of operations: which spans there are and what they say. Time is hand-set.

import { describe, expect, test, vi } from "vitest";
import { openClient } from "../src/client.ts";
import { failed as failedResult, obliging } from "./fake-server.ts";
import { guardOf, handSetClock, openCircuit, platformOf, READ, rejection, START, settle } from "./guards.ts";
import { Recorder, tracedClient } from "./traced.ts";

handSetClock();

const PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const INBOUND = { traceparent: PARENT, tracestate: "congo=t61rcWkgMzE" };

describe("an operation", () => {
  test("TRC-01: it is one client span, with what it waited for and each attempt as its parts", async () => {
    const { client, tracer } = tracedClient();
    await client.execute({ sql: "SELECT name FROM Users WHERE id = ?", args: [7] });
    expect(tracer.tree()).toEqual(["SELECT users", "  acquire", "  attempt"]);
    const [operation, acquire, attempt] = tracer.spans;
    expect(operation?.kind).toBe("client");
    expect(operation?.parent).toBeUndefined();
    expect(operation?.all).toEqual({
      "db.system.name": "sqlite",
      "seawall.dialect": "libsql",
      "db.namespace": "db.example.com",
      "server.address": "db.example.com",
      "db.operation.name": "SELECT",
      "db.collection.name": "users",
      "db.query.summary": "SELECT users",
      "db.query.text": "select name from users where id = ?",
      "db.response.returned_rows": 1,
    });
    expect(acquire).toMatchObject({ kind: "internal", all: {}, failure: undefined });
    expect(attempt).toMatchObject({ kind: "internal", all: { "seawall.attempt": 1 }, failure: undefined });
    for (const span of tracer.spans) {
      expect(span.context.traceId).toBe(operation?.context.traceId);
      expect(span.endedMs).toBe(START);
    }
  });

  test("TRC-01: a read that is tried again has two attempts, and each says how it ended", async () => {
    let answers = 0;
    const { client, tracer } = tracedClient({}, (asked) => {
      answers += 1;
      return answers === 1 ? new Response("busy", { status: 503 }) : obliging(asked);
    });
    const running = client.execute("SELECT 1");
    await settle();
    await vi.advanceTimersByTimeAsync(1_000);
    await running;
    expect(tracer.tree()).toEqual(["SELECT", "  acquire", "  attempt", "  attempt"]);
    const [first, second] = tracer.named("attempt");
    expect(first).toMatchObject({
      failure: "SERVER_ERROR",
      all: { "seawall.attempt": 1, "error.type": "SERVER_ERROR", "http.response.status_code": 503 },
    });
    expect(second).toMatchObject({ failure: undefined, all: { "seawall.attempt": 2 } });
    expect(second?.beganMs).toBeGreaterThan(first?.endedMs as number);
    expect(tracer.spans[0]).toMatchObject({ failure: undefined, all: { "seawall.attempts": 2 } });
  });

  test("TRC-01: the time that it waits for a lease is that of `acquire`", async () => {
    const { client, tracer } = tracedClient({ connectionPool: { maxConnections: 1 } }, async (asked) => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      return obliging(asked);
    });
    const both = Promise.all([client.execute("SELECT 1"), client.execute("SELECT 2")]);
    await settle();
    await vi.advanceTimersByTimeAsync(300);
    await vi.advanceTimersByTimeAsync(300);
    await both;
    const waits = tracer.named("acquire").map(({ beganMs, endedMs = 0 }) => endedMs - beganMs);
    expect(waits).toEqual([0, 300]);
  });

  test("TRC-01: one that is refused has no attempt, and a code", async () => {
    const { client, tracer, driver } = tracedClient();
    driver().forceState("OPEN");
    await rejection(client.execute("SELECT 1"));
    expect(tracer.tree()).toEqual(["SELECT", "  acquire"]);
    for (const span of tracer.spans) expect(span.failure).toBe("CIRCUIT_OPEN");
    expect(tracer.spans[0]?.all["error.type"]).toBe("CIRCUIT_OPEN");
  });

  test("a deadline ends the attempt's span, though its request never ends", async () => {
    const { client, tracer } = tracedClient({}, () => new Promise(() => {}));
    const failure = rejection(client.execute({ sql: "INSERT INTO t VALUES (1)", seawall: { timeout: 500 } } as never));
    await settle();
    await vi.advanceTimersByTimeAsync(500);
    await failure;
    const [attempt] = tracer.named("attempt");
    expect(attempt).toMatchObject({ failure: "DEADLINE_EXCEEDED", endedMs: START + 500 });
    expect(tracer.spans[0]?.failure).toBe("DEADLINE_EXCEEDED");
  });

  test("an error of the database is told by its code alone", async () => {
    const { client, tracer } = tracedClient({}, ({ body }) => ({
      baton: null,
      base_url: null,
      results: body.requests.map(() =>
        failedResult("SQLITE_CONSTRAINT", "UNIQUE constraint failed: users.email 'x@y.z'"),
      ),
    }));
    await rejection(client.execute("INSERT INTO users VALUES ('x@y.z')"));
    expect(tracer.spans[0]?.all).toMatchObject({
      "error.type": "SQLITE_CONSTRAINT",
      "db.response.status_code": "SQLITE_CONSTRAINT",
    });
    expect(JSON.stringify(tracer.spans)).not.toContain("x@y.z");
  });

  test("a code that a server made up is _OTHER", async () => {
    const { client, tracer } = tracedClient({}, ({ body }) => ({
      baton: null,
      base_url: null,
      results: body.requests.map(() => failedResult("TOKEN_abc123_WRONG", "no")),
    }));
    await rejection(client.execute("SELECT 1"));
    expect(tracer.spans[0]?.all["error.type"]).toBe("_OTHER");
  });
});

describe("what runs several statements", () => {
  test("a batch has its size, and a name that says BATCH", async () => {
    const { client, tracer } = tracedClient();
    await client.batch(["INSERT INTO a VALUES (1)", ["INSERT INTO a VALUES (?)", [2]]]);
    await client.batch(["INSERT INTO a VALUES (1)", "DELETE FROM b"]);
    await client.batch(["DELETE FROM b"]);
    await client.executeMultiple("CREATE TABLE t (a); DROP TABLE u");
    const operations = tracer.spans.filter(({ parent }) => parent === undefined);
    expect(operations.map(({ name }) => name)).toEqual(["BATCH INSERT a", "BATCH a b", "DELETE b", "BATCH t u"]);
    expect(operations.map(({ all }) => all["db.operation.batch.size"])).toEqual([2, 2, undefined, undefined]);
    expect(operations[0]?.all["db.query.text"]).toBe("insert into a values (?)");
  });

  test("TRC-01: a transaction is one span, its statements are parts of it, and only it waits for a lease", async () => {
    const { client, tracer } = tracedClient();
    const transaction = await client.transaction("write");
    await transaction.execute("UPDATE a SET b = 1");
    await transaction.commit();
    expect(tracer.tree()).toEqual(["transaction", "  acquire", "  UPDATE a", "    attempt", "  COMMIT", "    attempt"]);
    expect(tracer.spans.every(({ endedMs }) => endedMs !== undefined)).toBe(true);
  });
});

describe("trace context", () => {
  test("H140: what a request's headers tell is the parent; what is not valid begins a new trace", async () => {
    const { client, tracer } = tracedClient();
    await client.execute({ sql: "SELECT 1", seawall: { trace: new Headers(INBOUND) } });
    await client.seawall.withTrace({ traceparent: PARENT.toUpperCase(), tracestate: "a=1" }).execute("SELECT 2");
    const [first, , , second] = tracer.spans;
    expect(first?.parent).toEqual({
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "b7ad6b7169203331",
      isSampled: true,
      state: "congo=t61rcWkgMzE",
    });
    expect(second?.parent).toBeUndefined();
  });

  test("a client of one request hands its trace on to all that it does", async () => {
    const { client, tracer } = tracedClient();
    const own = client.seawall.withTrace(new Headers(INBOUND));
    await own.execute("SELECT 1");
    await own.execute({ sql: "SELECT ?", args: [1] });
    await own.batch(["SELECT 1"]);
    await own.executeMultiple("SELECT 1");
    await own.migrate(["CREATE TABLE t (a)"]);
    const transaction = await own.seawall.withConsistency(undefined).transaction();
    await transaction.rollback();
    const roots = tracer.spans.filter(({ parent }) => parent?.spanId === "b7ad6b7169203331");
    expect(roots).toHaveLength(6);
    expect(new Set(tracer.spans.map(({ context }) => context.traceId)).size).toBe(1);
  });

  test("requests to the database tell of it only when that is asked for", async () => {
    const quiet = tracedClient();
    await quiet.client.seawall.withTrace(INBOUND).execute("SELECT 1");
    expect(quiet.asked[0]?.headers.get("traceparent")).toBeNull();
    expect(quiet.asked[0]?.headers.get("tracestate")).toBeNull();

    const { client, asked, tracer } = tracedClient({ tracing: { propagate: true } });
    const own = client.seawall.withTrace(INBOUND);
    await own.execute("SELECT 1");
    const transaction = await own.transaction();
    await transaction.execute("SELECT 1");
    await transaction.commit();
    const attempts = tracer.named("attempt").map(({ context }) => `00-${context.traceId}-${context.spanId}-01`);
    expect(asked.map(({ headers }) => headers.get("traceparent"))).toEqual(attempts);
    expect(asked.map(({ headers }) => headers.get("tracestate"))).toEqual(attempts.map(() => INBOUND.tracestate));
  });
});

describe("the switch", () => {
  test("TRC-02: without tracing nobody watches, and nothing is where a watcher would be", async () => {
    const tracer = new Recorder();
    for (const tracing of [undefined, { tracer }, { enabled: false, tracer }]) {
      const options = tracing === undefined ? {} : { tracing };
      const fetch = async (request: Request) => Response.json(obliging({ body: await request.json() } as never));
      const opened = openClient({ url: "https://db.example.com", fetch, seawall: options }, platformOf());
      await opened.client.execute("SELECT 1");
      expect(opened.driver().observer).toBeUndefined();
    }
    expect(tracer.spans).toEqual([]);
  });

  test.each([
    ["tracing.enabled", { tracing: { enabled: true } }],
    ["enable_tracing", { enable_tracing: true }],
    ["a variable", { given: [["tracing.enabled", "DB_TRACING", "true"]] as const }],
  ])("TRC-02: %s turns it on, also for guards and their calls", async (_, options) => {
    const tracer = new Recorder();
    const { tracing } = options as { tracing?: object };
    const guard = guardOf({ ...options, tracing: { ...tracing, tracer } });
    expect(await guard.call(async () => 7)).toBe(7);
    expect(await guard.run({ ...READ, name: "load" }, async () => 8)).toBe(8);
    expect(tracer.tree()).toEqual(["call", "  acquire", "  attempt", "load", "  acquire", "  attempt"]);
  });

  test("TRC-02: tracing without anywhere to send to is refused when the client is made", () => {
    expect(() => guardOf({ tracing: { enabled: true } })).toThrow(/OTEL_EXPORTER_OTLP_ENDPOINT/);
  });

  test("a watched guard refuses, counts and closes as any other", async () => {
    const tracer = new Recorder();
    const guard = guardOf({ tracing: { enabled: true, tracer } });
    await openCircuit(guard);
    expect((await rejection(guard.call(async () => 1))).code).toBe("CIRCUIT_OPEN");
    expect(guard.tryCall(async () => 1)).toMatchObject({ refused: true });
    guard.resetBreaker();
    expect(await guard.call(async () => 2)).toBe(2);
  });

  test("settings that change while it runs leave the tracer where it is", async () => {
    const { client, tracer } = tracedClient();
    client.seawall.configure({ retry: { attempts: 1 } });
    await client.reconnect();
    await client.execute("SELECT 1");
    expect(tracer.tree()).toEqual(["SELECT", "  acquire", "  attempt"]);
    expect(client.seawall.config("tracing").settings["tracing.enabled"]?.value).toBe(true);
  });
});

describe("several databases", () => {
  test("TRC-01: an operation that moves on is one span, with an attempt at each of them", async () => {
    const { client, tracer } = tracedClient(
      { replicas: [{ name: "near", url: "https://replica.example.com" }], retry: { attempts: 1 } },
      (asked) => (asked.url.includes("replica") ? new Response("no", { status: 503 }) : obliging(asked)),
    );
    for (let reads = 0; reads < 6; reads += 1) await client.execute("SELECT a FROM t");
    const operations = tracer.spans.filter(({ parent }) => parent === undefined);
    expect(operations.map(({ name }) => name)).toEqual(Array(6).fill("SELECT t"));
    const [failure] = tracer.named("attempt").filter((span) => span.failure !== undefined);
    expect(failure?.all).toMatchObject({ "seawall.endpoint": "near", "error.type": "SERVER_ERROR" });
    const parts = tracer.named("attempt").filter(({ parent }) => parent?.spanId === failure?.parent?.spanId);
    expect(parts.map(({ all }) => all["seawall.attempt"])).toEqual([1, 2]);
  });
});
