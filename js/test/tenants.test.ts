// Tenants: each for itself, as many as there is room for, and what they share.

import { describe, expect, test, vi } from "vitest";
import { type TenantConfig, Tenants, type TenantsOptions } from "../src/tenants/tenants.ts";
import type { TierName } from "../src/tenants/tier.ts";
import { type Asked, obliging } from "./fake-server.ts";
import { handSetClock, platformOf, rejection, START, settle } from "./guards.ts";

handSetClock();

type Server = (asked: Asked) => unknown | Promise<unknown>;

/** Tenants whose databases are answered by functions, by name. */
function tenantsOf(
  servers: Record<string, Server> = {},
  own: Partial<TenantsOptions> = {},
  each: Partial<TenantConfig> = {},
) {
  const opened: string[] = [];
  const open = (id: string): TenantConfig => {
    opened.push(id);
    const fetch = async (request: Request) => {
      const { url, headers, signal } = request;
      const answer = await (servers[id] ?? obliging)({ url, headers, signal, body: JSON.parse(await request.text()) });
      return answer instanceof Response ? answer : Response.json(answer);
    };
    return { url: `https://${id}.example.com`, fetch, ...each };
  };
  return { tenants: new Tenants({ open, ...own }, platformOf()), opened };
}

const down = () => new Response("no", { status: 503 });
const hangs = () => new Promise<never>(() => {});
const SLOW_RETRIES = { retry: { attempts: 1 } };

describe("tenants", () => {
  test("a tenant is opened once, and closed with all others", async () => {
    const { tenants, opened } = tenantsOf();
    const client = tenants.get("a");
    expect((await client.execute("SELECT 1")).rows).toHaveLength(1);
    expect(tenants.get("a")).toBe(client);
    expect(opened).toEqual(["a"]);
    tenants.close();
    await expect(client.execute("SELECT 1")).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
    expect(() => tenants.get("a")).toThrow("CLIENT_CLOSED");
  });

  test("what operators said of a tenant holds while they say so", async () => {
    const { tenants, opened } = tenantsOf({}, {}, { tier: "FREE" });
    const tierOf = (id: string) => tenants.get(id).seawall.status().tier?.name;
    const early = tenants.get("a");
    expect(tierOf("a")).toBe("FREE");
    tenants.obey({ a: { tier: "PRO" }, b: { tier: "ENTERPRISE" }, c: { suspended: true } });
    expect([tierOf("a"), tierOf("b"), tenants.get("a") === early]).toEqual(["PRO", "ENTERPRISE", true]);
    expect(() => tenants.get("c")).toThrow(expect.objectContaining({ code: "TENANT_SUSPENDED", retry: "never" }));
    expect(opened).toEqual(["a", "b"]);
    tenants.evict("a");
    expect(tierOf("a")).toBe("PRO");
    tenants.evict("b");
    tenants.obey({ a: { suspended: true } });
    expect(() => tenants.get("a")).toThrow("TENANT_SUSPENDED");
    tenants.obey({});
    expect([tierOf("a"), tierOf("b"), tierOf("c")]).toEqual(["FREE", "FREE", "FREE"]);
  });

  test("a tenant that has no tier of its own has none again when operators take theirs back", async () => {
    const { tenants } = tenantsOf({ busy: hangs });
    const tierOf = (id: string) => tenants.get(id).seawall.status().tier?.name;
    tenants.obey({ a: { tier: "PRO" }, busy: { tier: "PRO" } });
    expect([tierOf("a"), tierOf("busy")]).toEqual(["PRO", "PRO"]);
    const client = tenants.get("busy");
    client.execute("SELECT 1").catch(() => {});
    await settle();
    tenants.obey({});
    expect(tierOf("a")).toBeUndefined();
    // Its work in flight is not cut off for that.
    expect(tenants.get("busy")).toBe(client);
    tenants.delete("busy");
    expect(tierOf("busy")).toBeUndefined();
  });

  test("TIER-08: a tenant whose database is down, hangs or is asked too often changes nothing for another", async () => {
    const { tenants } = tenantsOf(
      { down, full: hangs },
      {},
      { tier: "FREE", rateLimit: { rate: 10 }, seawall: SLOW_RETRIES },
    );
    const before = tenants.get("b").seawall.status();
    for (let call = 0; call < 5; call += 1) await rejection(tenants.get("down").execute("SELECT 1"));
    expect(tenants.get("down").seawall.status().breaker.state).toBe("OPEN");
    const held = Array.from({ length: 25 }, () =>
      tenants
        .get("full")
        .execute("SELECT 1")
        .catch((error) => error.code),
    );
    const asked = Array.from({ length: 30 }, () =>
      tenants
        .get("busy")
        .execute("SELECT 1")
        .catch((error) => error.code),
    );
    expect((await Promise.all(asked)).filter((it) => it === "RATE_LIMITED")).toHaveLength(20);
    await settle();
    expect(tenants.get("full").seawall.status().pool).toMatchObject({ borrowed: 5, pending: 5 });

    const after = tenants.get("b").seawall.status();
    expect([after.breaker, after.pool, after.totals, after.recent]).toEqual([
      before.breaker,
      before.pool,
      before.totals,
      before.recent,
    ]);
    const results = await Promise.all(Array.from({ length: 5 }, () => tenants.get("b").execute("SELECT 1")));
    expect(results).toHaveLength(5);
    const { breaker, totals, pool } = tenants.get("b").seawall.status();
    expect(breaker).toMatchObject({ state: "CLOSED", failures: 0, requests: 5 });
    expect(totals).toMatchObject({ successful: 5, failed: 0, slow: 0, queued: 0, byRefusal: [] });
    expect(pool).toMatchObject({ borrowed: 0, pending: 0 });
    tenants.close();
    await vi.advanceTimersByTimeAsync(20_000);
    await Promise.all(held);
  });

  test("TIER-08: what one tenant reads, writes and keeps is not what another one reads", async () => {
    const counts: Record<string, number> = {};
    const counting = (id: string) => (asked: Asked) => {
      counts[id] = (counts[id] ?? 0) + 1;
      return obliging(asked);
    };
    const servers = { a: counting("a"), b: counting("b") };
    const { tenants } = tenantsOf(servers, {}, { seawall: { queryCache: { enabled: true } } });
    const read = (id: string) => tenants.get(id).execute("SELECT n FROM t");
    for (let time = 0; time < 3; time += 1) {
      await read("a");
      await read("b");
    }
    expect(counts, "each was asked once").toEqual({ a: 1, b: 1 });
    await tenants.get("a").execute("INSERT INTO t VALUES (1)");
    await read("a");
    await read("b");
    expect(counts, "a write of one made nothing of the other old").toEqual({ a: 3, b: 1 });
    tenants.evict("a");
    await read("a");
    await read("b");
    expect(counts, "nothing kept outlives being put aside").toEqual({ a: 4, b: 1 });
  });

  test("a tenant whose only work in flight is at a replica is not put aside", async () => {
    const asked: string[] = [];
    const hanging = async (request: Request) => {
      asked.push(new URL(request.url).host);
      return hangs();
    };
    const replicas = [{ name: "near", url: "https://replica.example.com" }];
    const { tenants } = tenantsOf({}, {}, { fetch: hanging, seawall: { replicas, ...SLOW_RETRIES } });
    const read = { sql: "SELECT 1", seawall: { endpoint: "near", timeout: 1_000 } };
    const running = rejection(tenants.get("a").execute(read));
    await settle();
    expect(asked).toEqual(["replica.example.com"]);
    expect(tenants.evict("a")).toBe(false);
    await vi.advanceTimersByTimeAsync(1_000);
    await running;
    expect(tenants.evict("a")).toBe(true);
  });

  test("the tenant that nobody used for longest is put aside, never one with work in flight or an open transaction", async () => {
    const { tenants, opened } = tenantsOf({ hanging: hangs }, { maxLive: 3 });
    const hanging = tenants
      .get("hanging")
      .execute("SELECT 1")
      .catch(() => {});
    const transaction = await tenants.get("open").transaction("write");
    await transaction.execute("SELECT 1");
    await tenants.get("idle").execute("SELECT 1");
    await settle();
    await tenants.get("next").execute("SELECT 1");
    expect(["hanging", "open", "idle", "next"].filter((id) => tenants.has(id))).toEqual(["hanging", "open", "next"]);
    expect(tenants.status()).toEqual({ live: 3, residues: 0, evicted: 1, residuesDropped: 0 });
    const second = await tenants.get("next").transaction("read");
    expect(() => tenants.get("more")).toThrow("OVERLOADED: 3 tenants have work in flight at once");
    expect([tenants.evict("open"), tenants.evict("unknown")]).toEqual([false, false]);
    await transaction.commit();
    await tenants.get("more").execute("SELECT 1");
    expect([tenants.has("open"), opened.at(-1)]).toEqual([false, "more"]);
    second.close();
    tenants.close();
    await vi.advanceTimersByTimeAsync(60_000);
    await hanging;
  });

  test("a tenant that nobody asked for is put aside when another one is opened", () => {
    const { tenants } = tenantsOf({}, { idleTimeout: 1_000 });
    tenants.get("old");
    vi.setSystemTime(START + 500);
    tenants.get("young");
    vi.setSystemTime(START + 1_000);
    tenants.get("new");
    expect([tenants.has("old"), tenants.has("young")]).toEqual([false, true]);
  });

  test("what a tenant has used up, its open circuit, what was ordered and its tier outlive being put aside", async () => {
    const each = { tier: "FREE", rateLimit: { rate: 1, burst: 8 }, seawall: SLOW_RETRIES } as const;
    const { tenants, opened } = tenantsOf({ down }, {}, each);
    for (let call = 0; call < 8; call += 1) await rejection(tenants.get("down").execute("SELECT 1"));
    const { retryAtMs } = tenants.get("down").seawall.status().breaker;
    for (let call = 0; call < 8; call += 1) await tenants.get("used").execute("SELECT 1");
    tenants.get("held").seawall.circuitBreaker.forceState("OPEN");
    tenants.get("off").seawall.circuitBreaker.disable();
    tenants.get("paid").seawall.setTier("PRO");
    tenants.get("new");
    for (const id of ["down", "used", "held", "off", "paid", "new"]) expect(tenants.evict(id), id).toBe(true);
    expect(tenants.status()).toMatchObject({ live: 0, residues: 5, evicted: 6 });

    expect(await rejection(tenants.get("used").execute("SELECT 1"))).toMatchObject({
      code: "RATE_LIMITED",
      retryAtMs: START + 1_000,
    });
    expect(tenants.get("down").seawall.status().breaker).toMatchObject({ state: "OPEN", retryAtMs });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await rejection(tenants.get("down").execute("SELECT 1"))).toMatchObject({ code: "CIRCUIT_OPEN" });
    expect(tenants.get("held").seawall.status().breaker).toMatchObject({ state: "OPEN", forced: "OPEN" });
    for (let call = 0; call < 20; call += 1)
      await tenants
        .get("off")
        .execute("SELECT 1")
        .catch(() => {});
    expect(tenants.get("paid").seawall.status()).toMatchObject({ tier: { name: "PRO" }, pool: { max: 50 } });
    expect(tenants.status().residues).toBe(0);
    expect(opened).toHaveLength(11);

    vi.setSystemTime(START + 120_000);
    for (const id of ["used", "down"]) tenants.evict(id);
    expect(tenants.status().residues, "an hour later nothing of them matters").toBe(0);
    expect((await tenants.get("used").execute("SELECT 1")).rows).toHaveLength(1);
  });

  test("residues have a bound: what means least is forgotten first, what an operator ordered last", async () => {
    const { tenants } = tenantsOf({}, { maxResidues: 3 }, { rateLimit: { rate: 0.1, burst: 1 } });
    tenants.get("held").seawall.circuitBreaker.forceState("CLOSED");
    tenants.evict("held");
    for (const id of ["a", "b", "c", "d"]) {
      await tenants.get(id).execute("SELECT 1");
      tenants.evict(id);
    }
    expect(tenants.status()).toMatchObject({ residues: 3, residuesDropped: 2 });
    expect(tenants.get("held").seawall.status().breaker.forced).toBe("CLOSED");
    expect(await rejection(tenants.get("d").execute("SELECT 1"))).toMatchObject({ code: "RATE_LIMITED" });
    expect((await tenants.get("a").execute("SELECT 1")).rows).toHaveLength(1);
    tenants.delete("d");
    expect((await tenants.get("d").execute("SELECT 1")).rows, "a deleted tenant leaves nothing").toHaveLength(1);
  });

  test("a tenant may be a client of another kind, protected for itself", async () => {
    const open = (id: string) => ({ client: { ask: async () => id }, type: "other" as const, rateLimit: { rate: 1 } });
    const tenants = new Tenants({ open });
    const ask = (id: string) => tenants.get<{ ask(): Promise<string> }>(id).ask();
    expect([await ask("a"), await ask("b")]).toEqual(["a", "b"]);
    expect(await rejection(ask("a"))).toMatchObject({ code: "RATE_LIMITED" });
  });

  test.each([{ maxLive: 0 }, { maxLive: 1.5 }, { idleTimeout: 0 }, { maxResidues: -1 }])("%j is refused", (options) => {
    expect(() => tenantsOf({}, options)).toThrow(RangeError);
  });
});

describe("shared capacity", () => {
  /** Tenants of each tier that share `maxInFlight`, whose databases take as long as they are told. */
  function sharing(maxInFlight: number, tookMs: () => number, acquireTimeout = 60_000) {
    const began: { id: string; cameMs: number }[] = [];
    const open = (id: string): TenantConfig => ({
      url: `https://${id}.example.com`,
      tier: id.split("-")[0] as TierName,
      seawall: {
        connectionPool: { maxConnections: 100, acquireTimeout: 60_000 },
        tenant: { maxConcurrent: 1_000 },
        timeouts: { query: 60_000 },
        circuitBreaker: { timeoutThreshold: 1_000, consecutiveFailures: 1 },
      },
      fetch: async (request: Request) => {
        const body = JSON.parse(await request.text());
        began.push(JSON.parse(body.requests[0].stmt.sql.slice(10)));
        await new Promise((resolve) => setTimeout(resolve, tookMs()));
        return Response.json(obliging({ body } as Asked));
      },
    });
    const tenants = new Tenants({ open, capacity: { maxInFlight, acquireTimeout } }, platformOf());
    const ask = (id: string) => tenants.get(id).execute(`SELECT 1--${JSON.stringify({ id, cameMs: Date.now() })}`);
    return { tenants, began, ask };
  }

  const LEVELS: Record<string, number> = { ENTERPRISE: 0, PRO: 1, STARTER: 2, FREE: 3 };
  const tierOf = (id: string) => id.split("-")[0] as string;

  test("TIER-07: under contention the higher tier goes first, and who waited for long enough goes before all", async () => {
    const { began, ask, tenants } = sharing(1, () => 400);
    const all = [ask("FREE-first")];
    await settle();
    for (const tier of ["FREE", "STARTER", "PRO", "ENTERPRISE"]) all.push(ask(`${tier}-a`));
    await settle();
    expect(tenants.status().capacity).toEqual({ maxInFlight: 1, inFlight: 1, waiting: 4 });
    await vi.advanceTimersByTimeAsync(4_000);
    await Promise.all(all);
    expect(began.map(({ id }) => tierOf(id))).toEqual(["FREE", "ENTERPRISE", "PRO", "STARTER", "FREE"]);
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "TIER-07: nobody is overtaken by whom came 500 ms a level later, whatever comes (seed %i)",
    async (seed) => {
      let state = seed * 2_654_435_761;
      const chance = (below: number) => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return state % below;
      };
      const { began, ask } = sharing(2, () => 20 + chance(200));
      const all: Promise<unknown>[] = [];
      for (let turn = 0; turn < 120; turn += 1) {
        // Mostly the highest tier, and more than can be served: the lowest would starve without a bound.
        const tier = chance(4) === 0 ? (["FREE", "STARTER", "PRO"][chance(3)] as string) : "ENTERPRISE";
        all.push(ask(`${tier}-${chance(3)}`));
        await vi.advanceTimersByTimeAsync(chance(90));
      }
      await vi.advanceTimersByTimeAsync(60_000);
      await Promise.all(all);
      expect(began).toHaveLength(120);
      const overtakings = { some: 0 };
      for (const [at, first] of began.entries()) {
        for (const later of began.slice(at + 1)) {
          if (later.cameMs >= first.cameMs) continue;
          // `first` went before `later`, who had come before it.
          overtakings.some += 1;
          const levels = (LEVELS[tierOf(later.id)] as number) - (LEVELS[tierOf(first.id)] as number);
          expect(first.cameMs - later.cameMs).toBeLessThanOrEqual(Math.max(levels, 0) * 500);
        }
      }
      expect(overtakings.some, "priorities did something").toBeGreaterThan(0);
    },
  );

  test("TIER-08: what a tenant waits for here makes its database neither slow nor failing", async () => {
    const { ask, tenants } = sharing(1, () => 900);
    const all = ["FREE-a", "FREE-b", "FREE-c", "FREE-d"].map(ask);
    await vi.advanceTimersByTimeAsync(10_000);
    await Promise.all(all);
    for (const id of ["FREE-a", "FREE-b", "FREE-c", "FREE-d"]) {
      const { breaker, totals } = tenants.get(id).seawall.status();
      expect([breaker.state, totals.slow, totals.failed], id).toEqual(["CLOSED", 0, 0]);
    }
  });

  test("an operation that waited in vain is refused, and its tenant's circuit hears nothing of it", async () => {
    const { ask, tenants } = sharing(1, () => 5_000, 300);
    const first = ask("FREE-a").catch((error) => error);
    await settle();
    const second = rejection(ask("FREE-b"));
    await vi.advanceTimersByTimeAsync(400);
    expect(await second).toMatchObject({ code: "POOL_TIMEOUT", outcome: "not_executed" });
    const { breaker, totals, pool } = tenants.get("FREE-b").seawall.status();
    expect([breaker.state, breaker.failures, totals.failed, pool.borrowed]).toEqual(["CLOSED", 0, 0, 0]);
    await vi.advanceTimersByTimeAsync(10_000);
    await first;
  });
});
