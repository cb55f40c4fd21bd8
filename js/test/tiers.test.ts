// Tiers: defaults under explicit settings, a bound of operations at once, errors that name the tier, changes while it runs.

import { describe, expect, test, vi } from "vitest";
import { createClient } from "../src/client.ts";
import type { SeawallOptions } from "../src/config/options.ts";
import { PoolExhaustedError, RateLimitedError } from "../src/errors.ts";
import { controlsOfProtected, protect } from "../src/protect/protect.ts";
import type { TierName } from "../src/tenants/tier.ts";
import { TIERS } from "../src/tenants/tier-table.ts";
import { tierTimeouts } from "../src/timeouts.ts";
import { guardOf, handSetClock, hanging, READ, rejection, START, settle } from "./guards.ts";

handSetClock();

const NAMES = ["FREE", "STARTER", "PRO", "ENTERPRISE"] as const;

/** How many of many operations run, wait and are refused. */
async function spread(options: SeawallOptions, count: number) {
  const guard = guardOf(options);
  const { made, attempt } = hanging();
  const refusals: unknown[] = [];
  for (let call = 0; call < count; call += 1) guard.run(READ, attempt).catch((error) => refusals.push(error));
  await settle();
  return { running: made.length, waiting: guard.status().pool.pending, refusals, guard, made };
}

describe("tiers", () => {
  test("TIER-01 to TIER-05: each tier gives its connections, its concurrency and its time", async () => {
    expect(Object.keys(TIERS)).toEqual(NAMES);
    const table = {
      FREE: [2, 5, 20, 10_000, "low"],
      STARTER: [5, 10, 50, 30_000, "medium"],
      PRO: [10, 50, 200, 60_000, "high"],
      ENTERPRISE: [20, 100, 500, 120_000, "critical"],
    };
    for (const tier of NAMES) {
      const [min, max, concurrent, timeout, priority] = table[tier] as [number, number, number, number, string];
      const { running, waiting, refusals, guard } = await spread({ tier }, concurrent + 3);
      expect([running, waiting, refusals.length], tier).toEqual([max, concurrent - max, 3]);
      const { pool, tier: shown } = guard.status();
      expect([pool.min, pool.max], tier).toEqual([min, max]);
      expect(shown).toEqual({
        name: tier,
        minConnections: min,
        maxConnections: max,
        maxConcurrent: concurrent,
        timeout,
        priority,
      });
    }
  });

  test("RT-17: a query of each tier ends at the tier's limit", async () => {
    for (const tier of NAMES) {
      const guard = guardOf({ tier, circuitBreaker: { enabled: false }, retry: { attempts: 1 } });
      const ended = vi.fn();
      guard.run(READ, () => new Promise(() => {})).catch(ended);
      await vi.advanceTimersByTimeAsync(TIERS[tier].timeout - 1);
      expect(ended, tier).not.toHaveBeenCalled();
      await vi.advanceTimersByTimeAsync(1);
      expect(ended.mock.calls[0]?.[0], tier).toMatchObject({ code: "DEADLINE_EXCEEDED" });
      expect(tierTimeouts(tier).query).toBe(TIERS[tier].timeout);
    }
  });

  test("TIER-06 and TIER-09: the 21st operation of the free tier is refused, and told of tier and limit", async () => {
    const { refusals, made, guard } = await spread({ tier: "FREE" }, 21);
    const [refusal] = refusals as PoolExhaustedError[];
    expect(refusal).toBeInstanceOf(PoolExhaustedError);
    expect(refusal).toMatchObject({ code: "POOL_QUEUE_FULL", outcome: "not_executed" });
    expect(refusal?.message).toContain("Tier FREE: 5 connections and 20 operations at once. A higher tier has more.");
    made[0]?.resolve("done");
    await settle();
    const next = vi.fn();
    guard.run(READ, async () => "in").then(next, next);
    await settle();
    expect(guard.status().pool.pending, "one has ended, so one more may wait").toBe(15);
  });

  test("TIER-09: an operation that waited in vain is told of tier and limit", async () => {
    const { guard } = await spread({ tier: "ENTERPRISE", connectionPool: { maxConnections: 1 } }, 1);
    const waiting = rejection(guard.run(READ, async () => "never"));
    await vi.advanceTimersByTimeAsync(5_000);
    const error = await waiting;
    expect(error).toMatchObject({ code: "POOL_TIMEOUT" });
    expect(error.message).toContain("Tier ENTERPRISE: 1 connections and 500 operations at once.");
    expect(error.message).not.toContain("higher");
  });

  test("what is set wins over the tier, and the tier over what is the default", async () => {
    const own: SeawallOptions = {
      tier: "PRO",
      connectionPool: { maxConnections: 3, minConnections: 1 },
      tenant: { maxConcurrent: 4 },
      timeouts: { query: 1_000 },
    };
    const { running, waiting, refusals, guard } = await spread(own, 6);
    expect([running, waiting, refusals.length]).toEqual([3, 1, 2]);
    expect(guard.status().pool).toMatchObject({ min: 1, max: 3 });
    expect(() => guardOf({ tier: "GOLD" as TierName })).toThrow("tier must be one of NONE, FREE, STARTER, PRO");
  });

  test("an option wins over a variable, a variable over the tier, and the tier over a default; each shows its source", () => {
    const given = [
      ["connectionPool.maxConnections", "DB_MAX_CONNECTIONS", "7"],
      ["timeouts.query", "DB_QUERY_TIMEOUT", "1234"],
    ] as const;
    const seawall: SeawallOptions = { tier: "PRO", given, timeouts: { query: 99 } };
    const client = createClient({ url: "https://db.example.com", seawall });
    const { settings } = client.seawall.config();
    expect(settings["timeouts.query"]).toEqual({ value: 99, source: "option" });
    expect(settings["connectionPool.maxConnections"]).toEqual({ value: 7, source: "DB_MAX_CONNECTIONS" });
    expect(settings["tenant.maxConcurrent"]).toEqual({ value: 200, source: "tier PRO" });
    expect(settings["retry.attempts"]).toEqual({ value: 5, source: "default" });
    client.seawall.configure({ tier: "FREE" });
    expect(client.seawall.config().settings["tenant.maxConcurrent"]).toEqual({ value: 20, source: "tier FREE" });
    expect(client.seawall.status()).toMatchObject({ pool: { min: 2, max: 7 }, tier: { name: "FREE" } });
    const kept = JSON.parse(client.seawall.exportConfig());
    expect(JSON.stringify(kept)).toContain('"tier":"FREE"');
    expect(JSON.stringify(kept)).not.toContain("maxConcurrent");
    const variable = guardOf({ given: [["tier", "SEAWALL_TIER", "STARTER"]] });
    expect(variable.status()).toMatchObject({ pool: { max: 10 }, tier: { name: "STARTER" } });
  });

  test("where a runtime can carry fewer connections, the tier is capped and says so", () => {
    const { pool, tier } = guardOf({ tier: "ENTERPRISE" }, { connectionsMax: 6, isPolling: true }).status();
    expect(pool).toMatchObject({ min: 6, max: 6 });
    expect(tier).toMatchObject({ maxConnections: 100, cappedConnections: 6 });
    expect(guardOf({ tier: "FREE" }, { connectionsMax: 6 }).status().tier?.cappedConnections).toBeUndefined();
  });

  test("POOL-11: another tier changes the pool's bounds while it runs, and lets in who waits", async () => {
    const { guard, made, running } = await spread({ tier: "FREE" }, 20);
    expect(running).toBe(5);
    guard.setTier("STARTER");
    await settle();
    expect(made).toHaveLength(10);
    expect(guard.status().pool).toMatchObject({ min: 5, max: 10, pending: 10 });
    const late = rejection(guard.run(READ, () => new Promise(() => {})));
    guard.setTier("FREE");
    expect(guard.status()).toMatchObject({ pool: { min: 2, max: 5 }, tier: { name: "FREE" } });
    expect((await rejection(guard.run(READ, async () => 1))).message).toContain("Tier FREE");
    expect(() => guard.setTier("GOLD" as TierName)).toThrow(RangeError);
    guard.close();
    await late;
  });

  test("a client and a protected object take a tier, keep another one when they reconnect, and show it", async () => {
    const client = createClient({ url: "https://db.example.com", seawall: { tier: "FREE" } });
    expect(client.seawall.status().pool.max).toBe(5);
    client.seawall.setTier("PRO");
    await client.reconnect();
    expect(client.seawall.status()).toMatchObject({ pool: { max: 50 }, tier: { name: "PRO" } });
    const other = protect({ ask: async () => 1 }, { tier: "FREE", connectionPool: { enabled: true } });
    expect(controlsOfProtected(other)?.status()).toMatchObject({ pool: { max: 5 }, tier: { name: "FREE" } });
  });

  test("TIER-10: beyond the rate, operations are refused with a time, and the circuit hears nothing of it", async () => {
    const guard = guardOf({ rateLimit: { rate: 2, burst: 3 } });
    const results = await Promise.allSettled(Array.from({ length: 50 }, () => guard.run(READ, async () => 1)));
    const refused = results.flatMap((it) => (it.status === "rejected" ? [it.reason] : []));
    expect(refused).toHaveLength(47);
    expect(refused[0]).toBeInstanceOf(RateLimitedError);
    expect(refused[0]).toMatchObject({
      code: "RATE_LIMITED",
      retry: "at",
      retryAtMs: START + 500,
      outcome: "not_executed",
    });
    expect(guard.status().breaker).toMatchObject({ state: "CLOSED", failures: 0, requests: 3 });
    await vi.advanceTimersByTimeAsync(500);
    expect(await guard.run(READ, async () => "again")).toBe("again");
  });
});
