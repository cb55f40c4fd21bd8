// The policies around objects with asynchronous methods.

import { describe, expect, test, vi } from "vitest";
import { DatabaseCircuitBreakerError, DatabaseTimeoutError } from "../src/errors.ts";
import { profileOf } from "../src/protect/profiles.ts";
import {
  controlsOfProtected,
  type ProtectOptions,
  protect,
  unprotected,
  withOperation,
} from "../src/protect/protect.ts";
import { Registry } from "../src/registry.ts";
import { handSetClock, rejection } from "./guards.ts";

handSetClock();

const NAMED = { methods: ["get"], environment: "test" } as const;

/** A client with private fields, as they are. */
class Cache {
  #entries = new Map<string, string>([["a", "1"]]);
  calls = 0;
  failure: Error | undefined;
  readonly separator = ":";

  get size(): number {
    return this.#entries.size;
  }

  async get(key: string): Promise<string | undefined> {
    this.calls += 1;
    if (this.failure !== undefined) throw this.failure;
    return this.#entries.get(key);
  }

  async set(key: string, value: string): Promise<this> {
    this.#entries.set(key, value);
    return this;
  }

  /** Not an `async` function, and returns a promise all the same. */
  del(key: string): Promise<boolean> {
    this.calls += 1;
    return this.failure === undefined ? Promise.resolve(this.#entries.delete(key)) : Promise.reject(this.failure);
  }

  keyOf(...parts: string[]): string {
    return parts.join(this.separator);
  }

  *[Symbol.iterator]() {
    yield* this.#entries;
  }
}

const lost = () => Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });

function cacheOf(options: ProtectOptions = {}): { raw: Cache; cache: Cache } {
  const raw = new Cache();
  return { raw, cache: protect(raw, { environment: "test", ...options }) };
}

async function fail(raw: Cache, work: () => Promise<unknown>, times = 3): Promise<void> {
  raw.failure = lost();
  for (let failures = 0; failures < times; failures += 1) expect(await rejection(work())).toBe(raw.failure);
}

describe("an object", () => {
  test("looks and works as before", async () => {
    const { raw, cache } = cacheOf();
    expect(cache).toBeInstanceOf(Cache);
    expect(await cache.get("a")).toBe("1");
    expect(await cache.set("b", "2")).toBe(cache);
    expect([cache.size, cache.keyOf("a", "b"), cache.separator, "calls" in cache, [...cache].length]).toEqual([
      2,
      "a:b",
      ":",
      true,
      2,
    ]);
    cache.calls = 7;
    expect([raw.calls, Object.keys(cache), new Set([cache.get, cache.get]).size]).toEqual([7, Object.keys(raw), 1]);
    expect([unprotected(cache), unprotected(raw)]).toEqual([raw, raw]);
    expect(await Promise.resolve(cache)).toBe(cache);
  });

  test("CB-05, CB-10: fails fast while its circuit is open, with no call, and another one does not", async () => {
    const { raw, cache } = cacheOf();
    const other = cacheOf();
    await fail(raw, () => cache.get("a"));
    expect(controlsOfProtected(cache)?.circuitBreaker.getMetrics().state).toBe("OPEN");
    expect(await rejection(cache.get("a"))).toBeInstanceOf(DatabaseCircuitBreakerError);
    expect(await rejection(cache.set("a", "2"))).toBeInstanceOf(DatabaseCircuitBreakerError);
    expect(raw.calls).toBe(3);
    expect(cache.keyOf("still", "works")).toBe("still:works");
    expect(await other.cache.get("a")).toBe("1");
  });

  test("errors pass through unchanged, whatever the policies make of them", async () => {
    const { raw, cache } = cacheOf({ repeatable: ["get"], retry: { attempts: 2, initialDelay: 0 } });
    raw.failure = lost();
    const ended = rejection(cache.get("a"));
    await vi.runAllTimersAsync();
    expect(await ended).toBe(raw.failure);
    expect(raw.calls).toBe(2);
  });

  test("RT-06: only what the caller names is called again", async () => {
    const { raw, cache } = cacheOf({ repeatable: ["get"], retry: { initialDelay: 0, attempts: 3 } });
    raw.failure = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    expect(await rejection(cache.del("a"))).toBe(raw.failure);
    expect(raw.calls).toBe(1);
    const ended = rejection(cache.get("a"));
    await vi.runAllTimersAsync();
    await ended;
    expect(raw.calls).toBe(3);
  });

  test("RT-12: a call has a deadline, and one of its own if it wants", async () => {
    const never = { get: async () => new Promise<never>(() => {}) };
    const slow = protect(never, { timeouts: { query: 1_000 } });
    const late = rejection(slow.get());
    const sooner = rejection(withOperation({ timeout: 50, operationName: "look-up" }, () => slow.get()));
    await vi.advanceTimersByTimeAsync(50);
    expect(await sooner).toMatchObject({ timeout: 50, operationName: "look-up" });
    await vi.advanceTimersByTimeAsync(950);
    expect(await late).toBeInstanceOf(DatabaseTimeoutError);
    expect(controlsOfProtected(slow)?.operations()).toMatchObject([{ operation: "look-up", calls: 1, failures: 1 }]);
  });

  test("a method that is not async is guarded once it has returned a promise; its first call counts", async () => {
    const { raw, cache } = cacheOf();
    await fail(raw, () => cache.del("a"));
    expect(await rejection(cache.del("a"))).toBeInstanceOf(DatabaseCircuitBreakerError);
    expect(raw.calls).toBe(3);
  });

  test("a first call that was already made keeps its own end, whatever the circuit says", async () => {
    const { raw, cache } = cacheOf();
    await fail(raw, () => cache.get("a"));
    raw.failure = undefined;
    expect(await cache.del("a")).toBe(true);
    expect(await rejection(cache.del("a"))).toBeInstanceOf(DatabaseCircuitBreakerError);
  });

  test("what is named is guarded, and nothing else", async () => {
    const raw = new Cache();
    const cache = protect(raw, { ...NAMED });
    await fail(raw, () => cache.get("a"));
    raw.failure = undefined;
    expect(await cache.del("a")).toBe(true);
    expect(await rejection(cache.get("a"))).toBeInstanceOf(DatabaseCircuitBreakerError);
  });

  test("a frozen object, a callable one and one with a then", async () => {
    const frozen = protect(Object.freeze({ get: async () => "frozen", name: "x" }));
    expect([await frozen.get(), frozen.name, Object.keys(frozen)]).toEqual(["frozen", "x", ["get", "name"]]);
    const sql = Object.assign(async (text: string) => [text], { end: () => "ended" });
    const callable = protect(sql, {});
    expect([await callable("SELECT 1"), callable.end()]).toEqual([["SELECT 1"], "ended"]);
    // biome-ignore lint/suspicious/noThenProperty: what a query builder looks like.
    const thenable = protect({ then: (resolve: (value: string) => void) => resolve("built") });
    expect(await thenable).toBe("built");
    for (const target of [null, 5, "text"]) expect(() => protect(target as never)).toThrow(TypeError);
  });

  test("isFailure says what counts", async () => {
    const { raw, cache } = cacheOf({ isFailure: () => false });
    await fail(raw, () => cache.get("a"), 10);
    expect(controlsOfProtected(cache)?.circuitBreaker.getMetrics().failures).toBe(0);
  });

  test("with a pool of its own, if that is asked for", async () => {
    let running = 0;
    let most = 0;
    const work = {
      async run() {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setTimeout(resolve, 10));
        running -= 1;
      },
    };
    const free = protect(work);
    const held = protect(work, { connectionPool: { enabled: true, maxConnections: 2 } });
    for (const [object, bound] of [
      [free, 6],
      [held, 2],
    ] as const) {
      most = 0;
      const all = Promise.all(Array.from({ length: 6 }, () => object.run()));
      await vi.advanceTimersByTimeAsync(100);
      await all;
      expect(most).toBe(bound);
    }
  });
});

describe("what clients hand out", () => {
  test("redis: a pipeline is built as before, and sent under the guard", async () => {
    class Pipeline {
      commands: string[] = [];
      get(key: string): this {
        this.commands.push(key);
        return this;
      }
      exec(): Promise<string[]> {
        return Promise.reject(lost());
      }
    }
    const redis = { get: (key: string) => Promise.resolve(key), pipeline: () => new Pipeline(), on: () => redis };
    const guarded = protect(redis, { type: "redis", environment: "test" });
    expect(guarded.on()).toBe(guarded);
    for (let failures = 0; failures < 3; failures += 1) await rejection(guarded.pipeline().get("a").get("b").exec());
    expect(await rejection(guarded.pipeline().get("a").exec())).toBeInstanceOf(DatabaseCircuitBreakerError);
    expect(await rejection(guarded.get("a"))).toBeInstanceOf(DatabaseCircuitBreakerError);
  });

  test("d1: a prepared statement is guarded, and a batch gets the statements that the binding knows", async () => {
    class Statement {
      bind(): Statement {
        return new Statement();
      }
      all(): Promise<string> {
        return Promise.resolve("rows");
      }
    }
    const got: unknown[] = [];
    const binding = {
      prepare: (_: string) => new Statement(),
      batch: (statements: Statement[]) => {
        got.push(...statements.map((statement) => unprotected(statement) === statement));
        return Promise.resolve(statements.length);
      },
    };
    const db = protect(binding, { type: "d1" });
    expect(await db.prepare("SELECT ?").bind().all()).toBe("rows");
    expect(await db.batch([db.prepare("a"), db.prepare("b").bind()])).toBe(2);
    expect(got).toEqual([true, true]);
    controlsOfProtected(db)?.circuitBreaker.forceState("OPEN");
    expect(await rejection(db.prepare("SELECT 1").all())).toBeInstanceOf(DatabaseCircuitBreakerError);
  });

  test("postgresql and prisma: a client of the pool, and models, are guarded in turn", async () => {
    const pool = protect(
      { connect: () => Promise.resolve({ query: () => Promise.resolve(1), release: () => "released" }) },
      {
        type: "postgresql",
      },
    );
    const client = await pool.connect();
    expect([await client.query(), client.release()]).toEqual([1, "released"]);
    controlsOfProtected(pool)?.circuitBreaker.forceState("OPEN");
    expect(await rejection(client.query())).toBeInstanceOf(DatabaseCircuitBreakerError);
    const prisma = protect({ user: { findMany: () => Promise.resolve(["user"]) }, _engine: {} }, { type: "prisma" });
    expect(await prisma.user.findMany()).toEqual(["user"]);
    controlsOfProtected(prisma)?.circuitBreaker.forceState("OPEN");
    expect(await rejection(prisma.user.findMany())).toBeInstanceOf(DatabaseCircuitBreakerError);
  });

  test("CB-03: the errors of other clients are told apart", async () => {
    const named = (name: string, rest: object) => Object.assign(new Error("as it said"), { name }, rest);
    const table: [string, unknown, number][] = [
      ["postgresql", { code: "23505" }, 0],
      ["postgresql", { code: "40001" }, 0],
      ["postgresql", { code: "57P01" }, 1],
      ["postgresql", { code: "53300" }, 1],
      ["postgresql", { code: "ECONNREFUSED" }, 1],
      ["redis", named("ReplyError", { message: "WRONGTYPE Operation against a key" }), 0],
      ["redis", named("ReplyError", { message: "LOADING Redis is loading" }), 1],
      ["redis", named("MaxRetriesPerRequestError", {}), 1],
      ["mongodb", named("MongoServerError", { code: 11_000 }), 0],
      ["mongodb", named("MongoServerError", { code: 10_107 }), 1],
      ["mongodb", named("MongoNetworkError", {}), 1],
      ["prisma", named("PrismaClientKnownRequestError", { code: "P2002" }), 0],
      ["prisma", named("PrismaClientKnownRequestError", { code: "P1001" }), 1],
      ["prisma", named("PrismaClientValidationError", {}), 0],
      ["d1", new Error("D1_ERROR: UNIQUE constraint failed: t.a: SQLITE_CONSTRAINT"), 0],
      ["d1", new Error("D1_ERROR: Network connection lost."), 1],
      ["sqlite", { code: "SQLITE_BUSY" }, 0],
      ["other", new TypeError("key must be a string"), 0],
      ["other", new TypeError("fetch failed", { cause: lost() }), 1],
      ["other", new Error("anything else"), 1],
    ];
    for (const [type, error, failures] of table) {
      const object = protect({ run: async () => Promise.reject(error) }, { type, methods: ["run"] });
      expect(await rejection(object.run())).toBe(error);
      expect(controlsOfProtected(object)?.circuitBreaker.getMetrics().failures, `${type} ${String(error)}`).toBe(
        failures,
      );
    }
    expect(profileOf("constructor")).toBe(profileOf("other"));
  });
});

describe("a registry", () => {
  test("CB-10: databases of one type share settings, and no circuit", async () => {
    const registry = new Registry({
      environment: "test",
      circuitBreaker: { failureThreshold: 2 },
      byType: { redis: { circuitBreaker: { failureThreshold: 1 } }, postgresql: { timeouts: { query: 50 } } },
    });
    const broken = () => ({ run: async () => Promise.reject(lost()) });
    const make = (name: string, type: string, own = {}) =>
      registry.protect(broken(), { name, type, methods: ["run"], ...own });
    const all = [
      make("sessions", "redis"),
      make("queue", "redis"),
      make("orders", "postgresql"),
      make("own", "redis", { circuitBreaker: { failureThreshold: 5 } }),
    ];
    await rejection((all[0] as ReturnType<typeof broken>).run());
    for (const object of all.slice(2)) await rejection(object.run());
    const states = () => registry.list().map(({ controls }) => controls.status().breaker.state);
    expect(states()).toEqual(["OPEN", "CLOSED", "CLOSED", "CLOSED"]);
    await rejection((all[2] as ReturnType<typeof broken>).run());
    expect(states()).toEqual(["OPEN", "CLOSED", "OPEN", "CLOSED"]);
    expect(registry.list("redis").map(({ name }) => name)).toEqual(["sessions", "queue", "own"]);
    expect(registry.status().orders).toMatchObject({ type: "postgresql", breaker: { state: "OPEN" } });
  });

  test("CB-10: a libSQL client stands among them, by a name that is its own", () => {
    const registry = new Registry({ byType: { libsql: { connectionPool: { maxConnections: 4 } } } });
    const db = registry.createClient({ url: "https://example.com", name: "main" });
    expect(db.seawall.status().pool.max).toBe(4);
    expect(registry.get("main")).toMatchObject({ name: "main", type: "libsql" });
    expect(() => registry.protect({}, { name: "main" })).toThrow(RangeError);
    registry.forget("main");
    expect(registry.get("main")).toBeUndefined();
    db.close();
  });
});
