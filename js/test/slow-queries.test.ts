// Slow statements: what is noted of them, and what never is. Time is hand-set.

import { describe, expect, test, vi } from "vitest";
import type { SeawallOptions } from "../src/config/options.ts";
import { parseConfig } from "../src/config.ts";
import { Consistency } from "../src/consistency/consistency.ts";
import { checkConsistency } from "../src/consistency/settings.ts";
import { controlsOf } from "../src/controls.ts";
import type { Driver } from "../src/driver.ts";
import { RemoteClient } from "../src/remote-client.ts";
import type { SlowQueryEvent } from "../src/slow-queries.ts";
import { obliging } from "./fake-server.ts";
import { guardOf, handSetClock, platformOf, START } from "./guards.ts";

handSetClock();

/** A client whose server takes as long as `takes` says, or never answers. */
function slowClient(slowQuery: SeawallOptions["slowQuery"], options: SeawallOptions = {}) {
  const server = { takesMs: 0, isDead: false };
  const fetch = async (input: Request | string | URL, init?: RequestInit) => {
    const request = new Request(input, init);
    if (server.isDead) {
      return await new Promise<Response>((_, reject) => {
        request.signal.addEventListener("abort", () => reject(request.signal.reason));
      });
    }
    vi.setSystemTime(Date.now() + server.takesMs);
    const body = await request.json();
    return Response.json(await obliging({ url: request.url, headers: request.headers, body, signal: request.signal }));
  };
  let driver!: Driver;
  const consistency = new Consistency(checkConsistency({}), "db.example.com", platformOf());
  const config = parseConfig({ url: "https://db.example.com", fetch: fetch as typeof globalThis.fetch });
  const client = new RemoteClient(config, {}, consistency, () => {
    driver = guardOf({ ...options, ...(slowQuery === undefined ? {} : { slowQuery }) });
    return driver;
  });
  return { client, server, controls: controlsOf(() => driver), driver: () => driver };
}

describe("noted", () => {
  test("QC-10: a request above the threshold is counted and kept by its normal text, the greatest total first", async () => {
    const { client, server, controls } = slowClient(undefined);
    server.takesMs = 1_000;
    await client.execute("SELECT 1");
    expect(controls.status().slowQueries).toEqual({ thresholdMs: 1_000, count: 0, listenerFailures: 0 });
    server.takesMs = 1_001;
    await client.execute({ sql: "SELECT * FROM users WHERE name = 'secret' AND id = ?", args: ["private"] });
    server.takesMs = 3_000;
    await client.execute("SELECT  * FROM users WHERE name = 'other' AND id = 5 -- again");
    server.takesMs = 5_000;
    await client.execute("SELECT a FROM t");
    expect(controls.status().slowQueries.count).toBe(3);
    expect(controls.slowQueries()).toEqual([
      {
        text: "select a from t",
        count: 1,
        failures: 0,
        totalMs: 5_000,
        maxMs: 5_000,
        lastMs: 5_000,
        lastAtMs: START + 10_001,
        rows: 1,
      },
      {
        text: "select * from users where name = ? and id = ?",
        count: 2,
        failures: 0,
        totalMs: 4_001,
        maxMs: 3_000,
        lastMs: 3_000,
        lastAtMs: START + 5_001,
        rows: 2,
      },
    ]);
    expect(controls.slowQueries(1)).toHaveLength(1);
    expect(JSON.stringify([controls.slowQueries(), controls.status()])).not.toMatch(/secret|private/);
  });

  test("a batch is one text, and so is each step of a transaction", async () => {
    const { client, server, controls } = slowClient({ threshold: 10 });
    server.takesMs = 20;
    await client.batch(["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)", ["DELETE FROM u WHERE a = ?", [3]]]);
    await client.executeMultiple("SELECT 'secret'; SELECT 2");
    const transaction = await client.transaction();
    await transaction.execute("UPDATE t SET a = 1");
    await transaction.commit();
    const texts = controls.slowQueries().map(({ text }) => text);
    expect(texts).toEqual([
      "insert into t values (?); delete from u where a = ?",
      "select ?; select ?",
      "update t set a = ?",
    ]);
  });

  test("a request that never answers is slow when its deadline ends it", async () => {
    const { client, server, controls } = slowClient(
      { threshold: 500 },
      { timeouts: { query: 2_000 }, retry: { attempts: 1 } },
    );
    server.isDead = true;
    const ended = client.execute("SELECT a FROM t").catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await ended).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(controls.slowQueries()).toMatchObject([
      { text: "select a from t", count: 1, failures: 1, maxMs: 2_000, rows: 0 },
    ]);
  });

  test("at most 100 texts are kept: the least total time makes room", async () => {
    const { client, server, controls } = slowClient({ threshold: 10 });
    for (let number = 0; number < 150; number += 1) {
      server.takesMs = 1_000 - number;
      await client.execute(`SELECT a${number} FROM t`);
    }
    const texts = controls.slowQueries().map(({ text }) => text);
    expect(texts).toHaveLength(100);
    expect(texts[0]).toBe("select a0 from t");
    expect(texts.at(-1)).toBe("select a149 from t");
    expect(controls.status().slowQueries.count).toBe(150);
  });
});

describe("told", () => {
  test("a listener hears of each slow request; what it throws harms nothing and is counted", async () => {
    const heard: SlowQueryEvent[] = [];
    const { client, server, controls } = slowClient({
      threshold: 10,
      onSlowQuery: (event) => {
        heard.push(event);
        throw new Error("the log is full");
      },
    });
    server.takesMs = 11;
    await client.execute("SELECT 'secret'");
    await vi.advanceTimersByTimeAsync(0);
    expect(heard).toEqual([{ text: "select ?", durationMs: 11, rows: 1, hasFailed: false, atMs: START + 11 }]);
    expect(controls.status().slowQueries).toEqual({ thresholdMs: 10, count: 1, listenerFailures: 1 });
  });
});

describe("off", () => {
  test.each([{ enabled: false }, { threshold: 0 }])("nothing is noted with %j", async (slowQuery) => {
    const { client, server, controls, driver } = slowClient(slowQuery);
    server.takesMs = 100_000;
    await client.execute("SELECT 1");
    expect(driver().slow).toBeUndefined();
    expect(controls.slowQueries()).toEqual([]);
    expect(controls.status().slowQueries).toEqual({ thresholdMs: 0, count: 0, listenerFailures: 0 });
  });

  test("a threshold that cannot be used is named", () => {
    expect(() => guardOf({ slowQuery: { threshold: -1 } })).toThrow("slowQuery.threshold must be a whole number");
  });
});
