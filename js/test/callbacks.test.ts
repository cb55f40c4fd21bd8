// What functions of the application's own throw, reject with, or never do: it is handed on as it is, every lease comes back,
// and no rejection is left that nobody handles.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Config, createClient } from "../src/client.ts";
import type { SeawallOptions } from "../src/config/options.ts";
import { ResilienceError } from "../src/errors.ts";
import { monitorOn } from "../src/monitor/monitor.ts";
import { controlsOfProtected, protect } from "../src/protect/protect.ts";
import { memoryStore } from "../src/store/memory.ts";
import { FakeDatabase, hold, letGo, openClient } from "./fake-database.ts";
import { guardOf, handSetClock, platformOf, READ, settle, WRITE } from "./guards.ts";

handSetClock();

const POOL: SeawallOptions = {
  connectionPool: { enabled: true, maxConnections: 2 },
  circuitBreaker: { enabled: false },
  retry: { attempts: 1 },
};

function cyclic(): Error {
  const error = new Error("its cause is itself");
  const other = new Error("and by way of another", { cause: error });
  error.cause = other;
  return Object.assign(error, { self: error, code: { toString: () => "no text" } });
}

/** An error that cannot even be looked at. */
function untouchable(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function throwing(): object {
  const get = () => {
    throw new Error("a getter that throws");
  };
  const names = ["code", "name", "message", "cause", "status"];
  return Object.defineProperties({}, Object.fromEntries(names.map((name) => [name, { get }])));
}

/** What is thrown in place of an `Error`. */
const THROWN: [name: string, make: () => unknown][] = [
  ["null", () => null],
  ["undefined", () => undefined],
  ["a string", () => "out of order"],
  ["a number", () => 0],
  ["a cycle of causes", cyclic],
  ["a revoked proxy", untouchable],
  ["getters that throw", throwing],
  ["a frozen object", () => Object.freeze(Object.create(null))],
];

/** Both ways in which a function can fail. */
const WAYS: [name: string, fail: (error: unknown) => () => Promise<never>][] = [
  [
    "throws",
    (error) => () => {
      throw error;
    },
  ],
  ["rejects with", (error) => () => Promise.reject(error)],
];

const CASES = WAYS.flatMap(([way, fail]) => THROWN.map(([what, make]) => ({ way, what, make, fail })));

const unhandled: unknown[] = [];
const note = (reason: unknown) => void unhandled.push(reason);
beforeEach(() => {
  unhandled.length = 0;
  process.on("unhandledRejection", note);
});
afterEach(async () => {
  letGo();
  await settle();
  process.off("unhandledRejection", note);
  expect(unhandled).toHaveLength(0);
});

/** What a promise rejected with, in a box: it may be nothing at all. */
async function caught(work: () => Promise<unknown>): Promise<{ error: unknown }> {
  try {
    await work();
  } catch (error) {
    return { error };
  }
  throw new Error("it has not failed");
}

/** Compares by identity alone: what is compared may not be looked at. */
function same(own: unknown, expected: unknown): boolean {
  return Object.is(own, expected);
}

describe("a function under a guard", () => {
  test.each(CASES)("H082: that $way $what fails with just that, and its lease comes back", async ({ make, fail }) => {
    for (const options of [POOL, { ...POOL, timeouts: { query: 1_000 } }, { ...POOL, retry: { attempts: 3 } }]) {
      const guard = guardOf(options);
      await guard.call(async () => "the core is there");
      const error = make();
      const calls = [
        () => guard.call(fail(error)),
        () => guard.tryCall(fail(error)) as Promise<unknown>,
        () => guard.run(WRITE, fail(error)),
        () => guard.run(READ, fail(error)),
      ];
      for (const [at, call] of calls.entries()) {
        const running = caught(call);
        await vi.advanceTimersByTimeAsync(10_000);
        let { error: own } = await running;
        // What the policies have to say of it, they say around it.
        if (!same(own, error) && own instanceof ResilienceError) own = own.cause;
        expect(same(own, error), `call ${at}`).toBe(true);
        expect(guard.status().pool, `call ${at}`).toMatchObject({ borrowed: 0, leaked: 0 });
      }
    }
  });

  test("H082: that never settles ends at its deadline, and holds no lease longer", async () => {
    const guard = guardOf({ ...POOL, timeouts: { query: 1_000 } });
    const never = () => new Promise<never>(() => {});
    await guard.call(async () => "the core is there");
    for (const call of [() => guard.call(never), () => guard.run(READ, never), () => guard.run(WRITE, never)]) {
      const running = caught(call);
      await vi.advanceTimersByTimeAsync(1_000);
      const { error } = await running;
      expect(error).toBeInstanceOf(ResilienceError);
      expect(guard.status().pool).toMatchObject({ borrowed: 0, leaked: 0 });
    }
  });

  test.each<[string, () => unknown]>([
    ["nothing", () => undefined],
    ["null", () => null],
    ["a number", () => 5],
    ["an object", () => ({ rows: [] })],
  ])("H082: that returns %s in place of a promise gives just that, and its lease comes back", async (_, work) => {
    for (const options of [POOL, { ...POOL, timeouts: { query: 1_000 } }]) {
      const guard = guardOf(options);
      await guard.call(async () => "the core is there");
      expect(await guard.call(work as () => Promise<unknown>)).toEqual(work());
      expect(await guard.run(READ, work as () => Promise<unknown>)).toEqual(work());
      expect(guard.status().pool).toMatchObject({ borrowed: 0, leaked: 0 });
    }
  });
});

describe("a protected object", () => {
  test.each(CASES)(
    "H082: whose method $way $what fails with just that, and its lease comes back",
    async ({ make, fail }) => {
      const error = make();
      const own = protect({ query: fail(error) }, { ...POOL, methods: ["query"], repeatable: ["query"] });
      const failed = await caught(() => own.query());
      expect(same(failed.error, error)).toBe(true);
      expect(controlsOfProtected(own)?.status().pool).toMatchObject({ borrowed: 0, leaked: 0 });
    },
  );

  test.each(CASES)("H082: whose isFailure $way $what fails with its client's own error", async ({ make, fail }) => {
    const refused = new Error("the client's own");
    const isFailure = fail(make()) as unknown as () => boolean;
    const own = protect({ query: () => Promise.reject(refused) }, { ...POOL, methods: ["query"], isFailure });
    const running = caught(() => own.query());
    await vi.advanceTimersByTimeAsync(60_000);
    expect((await running).error).toBe(refused);
    expect(controlsOfProtected(own)?.status().pool).toMatchObject({ borrowed: 0, leaked: 0 });
  });

  test.each(CASES)("H082: whose ping $way $what is not well, and nothing more", async ({ make, fail }) => {
    const own = protect({ query: async () => 1 }, { ...POOL, methods: ["query"], ping: fail(make()) });
    expect(await controlsOfProtected(own)?.healthCheck()).toBe(false);
    expect(controlsOfProtected(own)?.status().pool).toMatchObject({ borrowed: 0, leaked: 0 });
    expect(await own.query()).toBe(1);
  });
});

describe("a client", () => {
  const url = "https://db.example.com";

  test.each(CASES)(
    "H082: whose fetch, or token, $way $what fails with a typed error or with just that, also in a transaction",
    async ({ make, fail }) => {
      const error = make();
      const broken = fail(error);
      const configs: Partial<Config>[] = [
        { fetch: broken },
        { fetch: new FakeDatabase().fetch, seawall: { authToken: broken } },
      ];
      for (const config of configs) {
        const db = createClient({ url, ...config, seawall: { ...POOL, ...config.seawall } });
        const transaction = await db.transaction("write");
        for (const call of [
          () => db.execute("INSERT INTO t VALUES (1)"),
          () => db.execute("SELECT 1"),
          () => db.batch(["SELECT 1", "INSERT INTO t VALUES (1)"]),
          () => transaction.execute("SELECT 1"),
          () => transaction.commit(),
        ]) {
          const running = caught(call);
          await vi.advanceTimersByTimeAsync(60_000);
          const { error: own } = await running;
          // What the application's own function for the token says is handed on; fetch is part of the way to the database.
          const isOwn = config.fetch !== broken && (same(own, error) || same((own as Error).cause, error));
          if (!isOwn) expect(own).toHaveProperty("code", expect.any(String));
        }
        transaction.close();
        expect(db.seawall.status().pool).toMatchObject({ borrowed: 0, leaked: 0 });
        db.close();
      }
    },
  );

  test.each(CASES)(
    "H082: whose reads are kept, and cannot be loaded because fetch $way $what, serves the next one",
    async ({ make, fail }) => {
      const database = new FakeDatabase();
      let isBroken = true;
      const fetch = (request: Request) => (isBroken ? fail(make())() : database.fetch(request));
      const db = createClient({ url, fetch, seawall: { ...POOL, queryCache: { enabled: true } } });
      const all = Array.from({ length: 5 }, () => caught(() => db.execute("SELECT 1")));
      await vi.advanceTimersByTimeAsync(60_000);
      for (const { error } of await Promise.all(all)) expect(error).toHaveProperty("code", expect.any(String));
      isBroken = false;
      expect((await db.execute("SELECT 1")).rows).toHaveLength(1);
      expect(db.seawall.status().pool).toMatchObject({ borrowed: 0, leaked: 0 });
      db.close();
    },
  );

  test.each(CASES)("H082: whose listeners and store $way $what works as without them", async ({ make, fail }) => {
    const bad = fail(make()) as never;
    const database = new FakeDatabase();
    const store = { ...memoryStore(), get: bad, put: bad };
    const db = openClient(database, undefined, {
      ...POOL,
      circuitBreaker: { failureThreshold: 1 },
      slowQuery: { threshold: 1, onSlowQuery: bad },
      state: { store },
    });
    for (const event of ["open", "close", "halfOpen"] as const) db.seawall.circuitBreaker.on(event, bad);
    const later = hold();
    let answer = () => {};
    const until = new Promise<void>((resolve) => {
      answer = resolve;
    });
    database.mode = { kind: "held", until };
    const slow = db.execute("SELECT 1");
    await vi.advanceTimersByTimeAsync(1_000);
    later(1_000);
    answer();
    expect((await slow).rows).toHaveLength(1);
    db.seawall.circuitBreaker.forceState("OPEN");
    db.seawall.circuitBreaker.forceState("CLOSED");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(db.seawall.status().pool).toMatchObject({ borrowed: 0, leaked: 0 });
    expect(db.seawall.status().slowQueries).toMatchObject({ count: 1, listenerFailures: 1 });
    expect(db.seawall.status().breaker.listenerFailures).toBeGreaterThan(0);
    db.close();
  });
});

test.each(CASES)(
  "H082: a check of the monitor that $way $what is a database that is not there",
  async ({ make, fail }) => {
    const guard = guardOf(POOL);
    const monitor = monitorOn({ databases: { primary: { guard, check: fail(make()) } } }, platformOf());
    expect(await monitor.healthCheck()).toBe(false);
    const response = await monitor.handle(new Request("https://app.example.com/api/health/ready"));
    expect(response.status).toBe(503);
    expect(guard.status().pool).toMatchObject({ borrowed: 0, leaked: 0 });
    monitor.close();
  },
);
