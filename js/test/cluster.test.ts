// Several databases behind one client, each a function that answers.
import { beforeEach, describe, expect, test, vi } from "vitest";
import { createClient } from "../src/client.ts";
import type { SeawallOptions } from "../src/config/options.ts";
import { ClusterCore } from "../src/generated/core.js";
import { platform } from "../src/platform/platform.ts";
import { type Asked, obliging, rejection } from "./fake-server.ts";
import { handSetClock } from "./guards.ts";

handSetClock();
// The client's platform took its clock before the tests set theirs.
beforeEach(() => {
  vi.spyOn(platform, "now").mockImplementation(() => Date.now());
});

type Behaviour = "well" | "refused" | "lost" | "hung" | "broken";

/** Databases by host: how each behaves, and what it was asked. */
class Servers {
  readonly behaviour: Record<string, Behaviour> = {};
  readonly asked: Record<string, (Asked & { token: string | null })[]> = {};

  readonly fetch = async (request: Request): Promise<Response> => {
    const { hostname } = new URL(request.url);
    const { url, headers, signal } = request;
    const one = { url, headers, signal, body: JSON.parse(await request.text()), token: headers.get("authorization") };
    // What makes a connection ready asks nothing of the database.
    if (one.body.requests[0]?.type !== "close") this.asked[hostname] = [...(this.asked[hostname] ?? []), one];
    switch (this.behaviour[hostname] ?? "well") {
      case "refused":
        throw Object.assign(new TypeError("fetch failed"), { cause: { code: "ECONNREFUSED" } });
      case "lost":
        throw Object.assign(new TypeError("fetch failed"), { cause: { code: "ECONNRESET" } });
      case "broken":
        return new Response("no", { status: 503 });
      case "hung":
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      default:
        return Response.json(obliging(one));
    }
  };

  count(host: string): number {
    return this.asked[host]?.length ?? 0;
  }
}

/** A primary at `a` and replicas at `b` and `c`. */
function three(seawall: SeawallOptions = {}, servers = new Servers()) {
  const replicas = [
    { url: "https://b", name: "b", region: "eu", tags: { tier: "critical", environment: "production" } },
    { url: "https://c", name: "c", tags: { tier: "cheap" }, authToken: "own" },
  ];
  const config = { url: "https://a", authToken: "shared", fetch: servers.fetch };
  const client = createClient({ ...config, seawall: { replicas, connectionPool: { maxConnections: 9 }, ...seawall } });
  return { client, servers, cluster: () => client.seawall.cluster() };
}

const TURNS: SeawallOptions = { loadBalancing: { strategy: "round_robin" } };

describe("three databases", () => {
  test("LB-03 and LB-01: are asked by the strategy that is set; performance is the default", async () => {
    expect(three().cluster().strategy).toBe("performance");
    const { client, servers } = three(TURNS);
    for (let i = 0; i < 6; i++) await client.execute("SELECT 1");
    expect([servers.count("a"), servers.count("b"), servers.count("c")]).toEqual([2, 2, 2]);
    expect(() => three({ loadBalancing: { strategy: "fastest" as "adaptive" } })).toThrow(
      /loadBalancing\.strategy must be one of performance, round_robin, least_connections, adaptive/,
    );
  });

  test("LB-02: without load balancing the first takes all, and another only when it fails", async () => {
    const { client, servers, cluster } = three({ loadBalancing: { enabled: false } });
    for (let i = 0; i < 4; i++) await client.execute("SELECT 1");
    expect([servers.count("a"), servers.count("b")]).toEqual([4, 0]);
    servers.behaviour.a = "refused";
    await client.execute("SELECT 1");
    expect([servers.count("b"), cluster().strategy]).toEqual([1, "off"]);
  });

  test.each(["refused", "lost", "broken", "hung"] as const)(
    "LB-04: a read is answered by another when one is %s, and its caller sees nothing",
    async (behaviour) => {
      const { client, servers, cluster } = three(TURNS);
      servers.behaviour.a = behaviour;
      const moves: unknown[] = [];
      client.seawall.on("failover", ({ endpoint, to, code }) => moves.push([endpoint, to, typeof code]));
      const running = client.execute("SELECT 1");
      await vi.advanceTimersByTimeAsync(1_001);
      expect((await running).rows[0]?.n).toBe(1);
      expect(moves).toEqual([["primary", "b", "string"]]);
      expect(cluster().endpoints[0]).toMatchObject({ failures: 1, failovers: 1 });
    },
  );

  test("LB-05 and LB-06: all hung, an operation ends within 5 s and says so", async () => {
    const { client, servers } = three();
    for (const host of ["a", "b", "c"]) servers.behaviour[host] = "hung";
    const began = Date.now();
    let took = 0;
    const running = rejection(client.execute("SELECT 1")).finally(() => {
      took = Date.now() - began;
    });
    await vi.advanceTimersByTimeAsync(6_000);
    expect(await running).toMatchObject({
      code: "DEADLINE_EXCEEDED",
      outcome: "not_executed",
      timeout: 5_000,
      message: expect.stringContaining("3 of 3 databases did not answer"),
    });
    expect(took).toBe(5_000);
  });

  test("LB-06: all failing, the last error tells how many were tried, and holds the cause", async () => {
    const { client, servers } = three({ failover: { maxAttempts: 2 }, retry: { attempts: 1 } });
    for (const host of ["a", "b", "c"]) servers.behaviour[host] = "broken";
    const error = await rejection(client.execute("SELECT 1"));
    expect(error).toMatchObject({ code: "RETRIES_EXHAUSTED", attempts: 2, cause: { code: "SERVER_ERROR" } });
    expect(error.message).toContain("2 of 3 databases failed");
  });

  test("LB-08: writes go to the primary alone, and a lost answer is told and not repeated", async () => {
    const { client, servers } = three();
    await client.execute("INSERT INTO t VALUES (1)");
    await client.batch(["SELECT 1", "UPDATE t SET n = 2"]);
    await client.executeMultiple("DELETE FROM t; SELECT 1");
    servers.behaviour.a = "lost";
    expect(await rejection(client.execute("INSERT INTO t VALUES (1)"))).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    expect([servers.count("b"), servers.count("c")]).toEqual([0, 0]);
    expect(await rejection(client.execute({ sql: "DELETE FROM t", seawall: { endpoint: "b" } }))).toMatchObject({
      code: "NO_ENDPOINT",
      outcome: "not_executed",
    });
  });

  test("LB-07 and DB-10: a database registered while the client runs is described as it was, and its name is its own", async () => {
    const { client, servers, cluster } = three({ ...TURNS, retry: { attempts: 1 } });
    const cache = { priority: 2, readOnly: true, tags: { kind: "cache" }, connectionPool: { maxConnections: 1 } };
    client.seawall.registerDatabase("cache", "https://cache?authToken=secret", cache);
    expect(cluster().endpoints[3]).toMatchObject({
      name: "cache",
      database: "cache",
      role: "replica",
      priority: 2,
      readOnly: true,
      tags: { kind: "cache" },
      state: "healthy",
    });
    expect(JSON.stringify(cluster())).not.toMatch(/secret|shared|own/);
    expect(client.seawall.database("cache").status().pool.max).toBe(1);
    expect(() => client.seawall.registerDatabase("cache", "https://other")).toThrow(/named "cache" already/);
    expect(() => client.seawall.registerDatabase("d", "https://d", { priority: 0 })).toThrow(
      /priority of the database "d"/,
    );
    expect(() => client.seawall.registerDatabase("", "https://d")).toThrow(/name/);
    for (let i = 0; i < 6; i++) await client.execute("SELECT 1");
    expect(servers.count("cache")).toBe(0);
    for (const host of ["a", "b", "c"]) servers.behaviour[host] = "refused";
    for (let i = 0; i < 12; i++) await client.execute("SELECT 1").catch(() => {});
    expect(servers.count("cache")).toBeGreaterThan(0);
    expect(servers.asked.cache?.[0]?.token).toBe("Bearer secret");
    expect(servers.asked.c?.[0]?.token).toBe("Bearer own");
    expect(servers.asked.b?.[0]?.token).toBe("Bearer shared");
  });

  test("LB-07: a client of one database becomes one of two, and of one again", async () => {
    const servers = new Servers();
    const client = createClient({ url: "https://a", fetch: servers.fetch, seawall: TURNS });
    await client.execute("SELECT 1");
    client.seawall.registerDatabase("b", "https://b");
    for (let i = 0; i < 4; i++) await client.execute("SELECT 1");
    expect([servers.count("a"), servers.count("b")]).toEqual([3, 2]);
    await client.seawall.removeDatabase("b");
    for (let i = 0; i < 4; i++) await client.execute("SELECT 1");
    expect([servers.count("a"), servers.count("b")]).toEqual([7, 2]);
    await expect(client.seawall.removeDatabase("primary")).rejects.toThrow(/cannot be removed/);
    await expect(client.seawall.removeDatabase("b")).rejects.toThrow(/no database named "b"/);
  });

  test("LB-09: an operation goes to the databases that have its tags, or its name, or are in its region", async () => {
    const { client, servers, cluster } = three(TURNS);
    const read = (seawall: object) => client.execute({ sql: "SELECT 1", seawall });
    for (let i = 0; i < 3; i++) await read({ tags: { tier: "critical" } });
    for (let i = 0; i < 3; i++) await read({ endpoint: "c" });
    for (let i = 0; i < 3; i++) await read({ region: "eu" });
    expect([servers.count("a"), servers.count("b"), servers.count("c")]).toEqual([0, 6, 3]);
    expect(cluster().endpoints[1]?.tags).toEqual({ tier: "critical", environment: "production" });
    expect(await rejection(read({ tags: { tier: "none" } }))).toMatchObject({ code: "NO_ENDPOINT" });
    await expect(read({ endpoint: "nobody" })).rejects.toThrow(/There are: "primary", "b", "c"/);
    const near = three({ ...TURNS, region: "eu" });
    for (let i = 0; i < 3; i++) await near.client.execute("SELECT 1");
    expect([near.servers.count("a"), near.servers.count("b")]).toEqual([0, 3]);
  });

  test("DB-09: each has counts and a circuit of its own", async () => {
    const { client, servers, cluster } = three(TURNS);
    servers.behaviour.b = "broken";
    for (let i = 0; i < 9; i++) await client.execute("SELECT 1");
    const opened = client.seawall.database("b").status();
    expect(opened.breaker).toMatchObject({ state: "OPEN", failures: 3 });
    expect(client.seawall.database("c").status().breaker).toMatchObject({ state: "CLOSED", failures: 0 });
    expect(client.seawall.status().totals.failed).toBe(0);
    expect(cluster().endpoints.map(({ breaker }) => breaker)).toEqual(["CLOSED", "OPEN", "CLOSED"]);
  });

  test("LB-10 and LB-12: one that fails is ejected, the others serve, and it comes back", async () => {
    const { client, servers, cluster } = three({ ...TURNS, circuitBreaker: { enabled: false } });
    const events: string[] = [];
    for (const name of ["ejected", "restored"] as const) {
      client.seawall.on(name, ({ type, endpoint }) => events.push(`${type} ${endpoint}`));
    }
    servers.behaviour.b = "broken";
    for (let i = 0; i < 12; i++) await client.execute("SELECT 1");
    expect(cluster()).toMatchObject({ state: "degraded", endpoints: [{}, { state: "ejected", failures: 3 }, {}] });
    expect(servers.count("b")).toBe(3);
    servers.behaviour.b = "well";
    await vi.advanceTimersByTimeAsync(15_000);
    for (let i = 0; i < 6; i++) await client.execute("SELECT 1");
    expect(cluster().state).toBe("healthy");
    expect(events).toEqual(["ejected b", "restored b"]);
  });
});

describe("an operation", () => {
  test("keeps to its caller's signal through every target", async () => {
    const { client, servers } = three();
    for (const host of ["a", "b", "c"]) servers.behaviour[host] = "hung";
    const controller = new AbortController();
    const running = rejection(client.execute({ sql: "SELECT 1", seawall: { signal: controller.signal } }));
    await vi.advanceTimersByTimeAsync(1_500);
    controller.abort();
    expect(await running).toMatchObject({ code: "ABORTED" });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(servers.count("a") + servers.count("b") + servers.count("c")).toBe(2);
    expect(client.seawall.cluster().endpoints.map(({ pending }) => pending)).toEqual([0, 0, 0]);
  });

  test("has one deadline for all of its targets", async () => {
    const { client, servers } = three();
    for (const host of ["a", "b", "c"]) servers.behaviour[host] = "hung";
    const began = Date.now();
    const running = rejection(client.execute({ sql: "SELECT 1", seawall: { timeout: 300 } })).then((error) => {
      expect(Date.now() - began).toBeLessThanOrEqual(301);
      return error;
    });
    await vi.advanceTimersByTimeAsync(400);
    expect(await running).toMatchObject({ code: "DEADLINE_EXCEEDED", timeout: 300 });
  });

  test("that turns failover off has one target with all of its time", async () => {
    const { client, servers } = three({ retry: { attempts: 1 } });
    servers.behaviour.a = "broken";
    const read = { sql: "SELECT 1", seawall: { failover: false, endpoint: "primary" } };
    expect(await rejection(client.execute(read))).toMatchObject({ code: "SERVER_ERROR" });
  });

  test("is counted by its labels once, wherever it went", async () => {
    const { client, servers } = three(TURNS);
    servers.behaviour.a = "broken";
    await client.execute({ sql: "SELECT 1", seawall: { operationName: "list" } });
    expect(client.seawall.operations()).toMatchObject([{ operation: "list", calls: 1, failures: 0 }]);
  });

  test("runs on when the core traps", async () => {
    const { client, servers } = three(TURNS);
    await client.execute("SELECT 1");
    vi.spyOn(ClusterCore.prototype, "begin").mockImplementationOnce(() => {
      throw new WebAssembly.RuntimeError("unreachable");
    });
    expect((await client.execute("SELECT 1")).rows[0]?.n).toBe(1);
    expect(servers.count("a")).toBe(2);
    for (let i = 0; i < 3; i++) await client.execute("SELECT 1");
    expect(client.seawall.cluster().endpoints.map(({ reads }) => reads)).toEqual([1, 1, 1]);
  });
});

describe("a transaction", () => {
  test("stays at the database where it began", async () => {
    const { client, servers } = three(TURNS);
    await client.execute("SELECT 1");
    const reading = await client.transaction("read");
    await reading.execute("SELECT 1");
    await reading.execute("SELECT 2");
    expect(client.seawall.cluster().endpoints[1]).toMatchObject({ name: "b", pending: 1 });
    await reading.commit();
    expect([servers.count("a"), servers.count("b"), servers.count("c")]).toEqual([1, 3, 0]);
    const writing = await client.transaction("write");
    await writing.execute("INSERT INTO t VALUES (1)");
    await writing.commit();
    expect(servers.count("a")).toBe(3);
    expect(client.seawall.cluster().endpoints.map(({ pending }) => pending)).toEqual([0, 0, 0]);
  });
});

describe("a client that was closed", () => {
  test("refuses, and opens all of its databases again", async () => {
    const { client, servers } = three(TURNS);
    await client.execute("SELECT 1");
    client.close();
    expect(await rejection(client.execute("SELECT 1"))).toMatchObject({ code: "CLIENT_CLOSED" });
    await vi.advanceTimersByTimeAsync(100);
    await client.reconnect();
    for (let i = 0; i < 3; i++) await client.execute("SELECT 1");
    expect(servers.count("a") + servers.count("b") + servers.count("c")).toBe(4);
  });
});
