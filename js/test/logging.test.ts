// Structured logs: what is written, at which level, and what never is. Time is hand-set.

import { readFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { fromEnv } from "../src/config/from-env.ts";
import { Logger, type LogRecord, lineOf, RECENT_MAX } from "../src/telemetry/logger.ts";
import { Redactor } from "../src/telemetry/redact.ts";
import { failed as failedResult, obliging } from "./fake-server.ts";
import { handSetClock, rejection, START, settle } from "./guards.ts";
import { tracedClient } from "./traced.ts";

handSetClock();

const busyOnce = () => {
  let answers = 0;
  return (asked: Parameters<typeof obliging>[0]) => {
    answers += 1;
    return answers === 1 ? new Response("busy", { status: 503 }) : obliging(asked);
  };
};

describe("a record", () => {
  test("TRC-03: it is one line of JSON with level, msg, time and the ids of its trace", async () => {
    const lines: string[] = [];
    const write = vi.spyOn(console, "error").mockImplementation((line) => lines.push(line));
    const { client, tracer } = tracedClient({ logging: { level: "info", sink: undefined as never } }, () => {
      return new Response("no", { status: 400 });
    });
    await rejection(client.execute("SELECT a FROM t"));
    expect(write).toHaveBeenCalledTimes(1);
    const { traceId, spanId } = tracer.spans[0]?.context ?? {};
    expect(lines[0]).not.toContain("\n");
    expect(Object.keys(JSON.parse(lines[0] as string)).slice(0, 3)).toEqual(["level", "msg", "time"]);
    expect(JSON.parse(lines[0] as string)).toEqual({
      level: "error",
      msg: "operation failed",
      time: new Date(START).toISOString(),
      traceId,
      spanId,
      database: "db.example.com",
      operation: "SELECT t",
      text: "select a from t",
      durationMs: 0,
      attempts: 1,
      code: "SERVER_ERROR",
    });
  });

  test("TRC-03: without tracing it has the trace of whoever asked", async () => {
    const { client, records } = tracedClient({ tracing: { enabled: false }, logging: { level: "debug" } });
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    await client.seawall.withTrace(`00-${traceId}-b7ad6b7169203331-01`).execute("SELECT 1");
    expect(records).toMatchObject([{ msg: "query", traceId, spanId: "b7ad6b7169203331" }]);
  });

  test("tells of retries, refusals and the circuit, each at its level", async () => {
    const { client, records, driver } = tracedClient({ logging: { level: "info" } }, busyOnce());
    const running = client.execute("SELECT 1");
    await settle();
    await vi.advanceTimersByTimeAsync(1_000);
    await running;
    driver().forceState("OPEN");
    await rejection(client.execute("SELECT 1"));
    await settle();
    const told = records.map(({ level, msg, code, to }) => [level, msg, code ?? to]);
    expect(told).toContainEqual(["warn", "tried again", "SERVER_ERROR"]);
    expect(told).toContainEqual(["warn", "refused", "CIRCUIT_OPEN"]);
    expect(told).toContainEqual(["warn", "circuit changed", "OPEN"]);
    expect(told).toHaveLength(3);
  });

  test("TRC-06: a slow query is a record with its normal text and its trace", async () => {
    const { client, records, tracer } = tracedClient({ logging: { level: "warn" } }, (asked) => {
      vi.setSystemTime(Date.now() + 1_500);
      return obliging(asked);
    });
    await client.execute({ sql: "SELECT a FROM t WHERE b = 'private' AND c = ?", args: ["secret"] });
    await settle();
    const [attempt] = tracer.named("attempt");
    expect(records).toEqual([
      {
        level: "warn",
        msg: "slow query",
        time: new Date(START + 1_500).toISOString(),
        database: "db.example.com",
        traceId: attempt?.context.traceId,
        spanId: attempt?.context.spanId,
        text: "select a from t where b = ? and c = ?",
        durationMs: 1_500,
        rows: 1,
        hasFailed: false,
      },
    ]);
  });
});

describe("levels", () => {
  test.each([
    ["the variable", fromEnv({ ENABLE_DETAILED_LOGGING: "true" })],
    ["its name with a prefix", fromEnv({ FEATURE_ENABLE_DETAILED_LOGGING: "1" })],
    ["the option", { features: { ENABLE_DETAILED_LOGGING: true } }],
  ])("TRC-04: ENABLE_DETAILED_LOGGING by %s logs each query, its arguments redacted", async (_, options) => {
    const { client, records } = tracedClient(options);
    await client.execute({ sql: "SELECT a FROM t WHERE b = ? AND c = 'literal'", args: ["argument"] });
    expect(records).toMatchObject([
      {
        level: "debug",
        msg: "query",
        text: "select a from t where b = ? and c = ?",
        args: "[redacted]",
        argCount: 1,
        rows: 1,
        attempts: 1,
      },
    ]);
    expect(JSON.stringify(records)).not.toMatch(/argument|literal/);
  });

  test("TRC-04: without it, and without a level, nothing is logged", async () => {
    const { client, records, driver } = tracedClient(fromEnv({ ENABLE_DETAILED_LOGGING: "false" }));
    await client.execute("SELECT 1");
    expect(records).toEqual([]);
    expect(driver().observer?.logger).toBeUndefined();
  });

  test("a level that there is not is refused", () => {
    expect(() => tracedClient({ logging: { level: "loud" as never } })).toThrow(/logging\.level must be/);
  });

  test("TRC-07: with the recipe's variables each query is logged, and two failures open a circuit of five connections", async () => {
    // As the page has it, word by word.
    const page = readFileSync(new URL("../../docs/observability.md", import.meta.url), "utf8");
    const line = /^((?:[A-Z_]+=\S+ )+)node app\.js$/m.exec(page)?.[1] ?? "";
    const variables = Object.fromEntries(
      line
        .trim()
        .split(" ")
        .map((pair) => pair.split("=")),
    );
    expect(Object.keys(variables)).toHaveLength(4);
    const recipe = fromEnv(variables);
    const { client, records } = tracedClient(
      { ...recipe, retry: { attempts: 1 } },
      () => new Response("", { status: 503 }),
    );
    expect(client.seawall.getPoolStats().max).toBe(5);
    expect(client.seawall.config("health").settings["health.checkInterval"]?.value).toBe(5_000);
    for (let queries = 0; queries < 3; queries += 1) await rejection(client.execute("SELECT a FROM t"));
    await settle();
    const told = records.map(({ msg, code, to }) => `${msg} ${code ?? to}`);
    expect(told.filter((line) => line === "operation failed SERVER_ERROR")).toHaveLength(2);
    expect(told).toContain("circuit changed OPEN");
    expect(told.at(-1)).toBe("refused CIRCUIT_OPEN");
  });
});

describe("what is kept", () => {
  test("TRC-05: of a client with several databases, the records of all of them", async () => {
    const replicas = [{ name: "near", url: "https://replica.example.com", authToken: "tok-near-1a2b" }];
    const { client } = tracedClient({ replicas, logging: { level: "info" } });
    client.seawall.database("near").circuitBreaker.forceState("OPEN", "test");
    await settle();
    const { records } = client.seawall.telemetry.logs();
    expect(records).toMatchObject([{ msg: "circuit changed", to: "OPEN", database: "replica.example.com" }]);
  });

  test("TRC-05: the last records, within a bound, and those after what was seen", () => {
    const logger = new Logger("db", "info", new Redactor(), () => {});
    for (let at = 0; at < RECENT_MAX + 10; at += 1) logger.write("info", `event ${at}`, START + at, undefined, {});
    const all = logger.since(0);
    expect(all.records).toHaveLength(RECENT_MAX);
    expect(all.records[0]?.msg).toBe("event 10");
    expect(all.seen).toBe(RECENT_MAX + 10);
    logger.write("error", "one more", START, undefined, {});
    expect(logger.since(all.seen).records.map(({ msg }) => msg)).toEqual(["one more"]);
    expect(logger.since(1e9).records).toEqual([]);
  });

  test("a sink that fails harms nothing and is counted", async () => {
    const { client } = tracedClient({
      logging: {
        level: "debug",
        sink: () => {
          throw new Error("full");
        },
      },
    });
    await client.execute("SELECT 1");
    expect(client.seawall.telemetry.status().logs).toEqual({ sinkFailures: 1 });
  });
});

describe("texts of others", () => {
  const hostile = (text: string, options = {}) => {
    const own = { level: "debug", errorMessages: true, ...options } as const;
    return tracedClient(
      { logging: own },
      ({ body }) => ({
        baton: null,
        base_url: null,
        results: body.requests.map(() => failedResult("SQLITE_ERROR", text)),
      }),
      { authToken: "tok-4f9a8c7d" },
    );
  };
  const lineAfter = async (text: string, options = {}) => {
    const { client, records } = hostile(text, options);
    await rejection(client.execute("SELECT 1"));
    return lineOf(records.at(-1) as LogRecord);
  };

  test("H150: HTML is escaped, so that it is harmless in a page", async () => {
    const line = await lineAfter("<script>alert(1)</script> & more");
    expect(line).not.toMatch(/[<>&]/);
    expect(JSON.parse(line).error).toContain("<script>");
  });

  test("H150: what moves a cursor or hides text is gone", async () => {
    const line = await lineAfter("\u001b[2J\u001b[31mred\u001b]0;title\u0007\r\nforged line\u0000\u202egnp.exe\u2028");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: this is what must be gone.
    expect(JSON.parse(line).error).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u202e]/);
    expect(line).not.toContain("[31m");
    expect(JSON.parse(line).error).toContain("red forged line gnp.exe");
  });

  test("H150: a megabyte is cut", async () => {
    const began = performance.now();
    const line = await lineAfter(`${"a ".repeat(500_000)}tok-4f9a8c7d`);
    expect(line.length).toBeLessThan(3_000);
    expect(performance.now()).toBeGreaterThan(began);
  });

  test("H150: secrets are gone, also in other spellings, and literals too", async () => {
    const token = "tok-4f9a8c7d";
    const forms = [token, token.toUpperCase(), btoa(token), encodeURIComponent(token), `Bearer ${token}x`];
    const line = await lineAfter(
      `near ${forms.join(" ")} and 'a literal' in libsql://me:pass@host?authToken=other1234`,
    );
    for (const secret of [...forms, "literal", "me:pass", "other1234"]) expect(line).not.toContain(secret);
  });

  test("H150: unless it is asked for, no text of the database is logged", async () => {
    const line = await lineAfter("anything at all", { errorMessages: false });
    expect(line).not.toContain("anything");
    expect(JSON.parse(line)).toMatchObject({ code: "SQLITE_ERROR", status: "SQLITE_ERROR" });
  });

  test("H150: of a text that is cut, half of a secret does not stay at its end", () => {
    const secret = "s3cr3t-".repeat(20);
    const redactor = new Redactor([secret]);
    for (let at = 0; at < 200; at += 1) {
      // What stands before it shrinks, so that the cut end of what was read moves into what is told.
      const text = `${`${secret} `.repeat(50)}${"x".repeat(at)}${secret}${secret.repeat(20)}`;
      expect(redactor.text(text, 9_000)).not.toContain("s3cr3t");
    }
  });

  test("fields with names of secrets are not told, at any depth; nor what has no end", () => {
    const cyclic: Record<string, unknown> = { name: "n" };
    cyclic.self = cyclic;
    const redactor = new Redactor();
    const safe = redactor.value("", {
      authToken: "a1b2c3",
      nested: { Password: "a1b2c3", list: [{ "x-api-key": "a1b2c3" }], ok: 1n },
      cyclic,
      error: new Error("password=a1b2c3 here"),
      bad: () => {},
    });
    expect(JSON.stringify(safe)).not.toContain("a1b2c3");
    expect(safe).toMatchObject({ nested: { ok: "1" }, error: { name: "Error", message: "password=[redacted] here" } });
  });
});
