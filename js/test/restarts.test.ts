// What ends a wasm instance, for real: the instance is replaced and counted, and the next call works.
//
// No build has a way to make its core fail. These tests reach the instance's own exports by standing in for the
// constructor that the glue calls, and bring about there what a defect would.
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { coreGeneration, describeStatement, judge, liveGeneration, normalText, replaceCore } from "../src/core.ts";
import * as wasm from "../src/generated/core.js";
import { Monitor as MonitorCore } from "../src/monitor/generated/monitor.js";
import { monitorOn } from "../src/monitor/monitor.ts";
import { MonitorRestartedError } from "../src/monitor/restarted.ts";
import { FakeDatabase, openClient } from "./fake-database.ts";
import { failed, guardOf, handSetClock, openCircuit, platformOf, READ, rejection, WRITE } from "./guards.ts";

const { Core } = wasm;

handSetClock();
// Where the stack ends, everything is slow.
vi.setConfig({ testTimeout: 60_000 });

interface Exports {
  memory: WebAssembly.Memory;
  __wbindgen_malloc(size: number, align: number): number;
}

/** The exports of the instance that was made last. */
let latest: Exports;

/** Lets the tests of a block see each new instance's exports. */
function watchInstances(): void {
  const { Instance } = WebAssembly;
  beforeAll(() => {
    WebAssembly.Instance = class extends Instance {
      constructor(module: WebAssembly.Module, imports?: WebAssembly.Imports) {
        super(module, imports);
        latest = this.exports as unknown as Exports;
      }
    };
  });
  afterAll(() => {
    WebAssembly.Instance = Instance;
  });
}

const PAGE = 65_536;
/** A text that no free piece of memory holds. */
const BIG = "x".repeat(2 ** 24);

/** Throws what a wasm instance throws that dies. `call` goes deep into it, and `allocate` puts a text into its memory. */
type Die = (call: () => unknown, allocate: (text: string) => unknown) => never;

/** A length that no allocation has is answered as a failed assertion is: by the instruction `unreachable`. */
const panic: Die = () => never(latest.__wbindgen_malloc(-16, 1));

const DEATHS: [name: string, die: Die][] = [
  ["a panic", panic],
  [
    "out of memory",
    (_, allocate) => {
      fillMemory();
      return never(allocate(BIG));
    },
  ],
  ["a stack overflow", overflow],
];

function never(value: unknown): never {
  throw new Error(`it lived, and gave ${String(value)}`);
}

/** Leaves nothing that could be allocated. */
function fillMemory(): void {
  const { memory } = latest;
  memory.grow(PAGE - memory.buffer.byteLength / PAGE);
}

/**
 * Calls from so deep that the stack ends, and again from a little less deep, until it does not end in `call`. Engines take
 * more room for what runs for the first time, which may end it before wasm is reached each time: hence more than once.
 */
function overflow(call: () => unknown): never {
  for (let pass = 0; pass < 20; pass += 1) {
    const thrown: unknown[] = [];
    let isOver = false;
    const descend = (): void => {
      try {
        descend();
      } catch {
        // Here it ends in the test.
      }
      if (isOver) return;
      try {
        call();
        isOver = true;
      } catch (error) {
        thrown.push(error);
      }
    };
    descend();
    const deep = thrown.find((error) => error instanceof RangeError && error.stack?.includes("wasm"));
    if (deep !== undefined) throw deep;
  }
  throw new Error("the stack has never ended in wasm");
}

watchInstances();

afterEach(() => {
  vi.restoreAllMocks();
});

describe("H080: the core of the policies", () => {
  /** Lets the next call of one method end the instance for real. */
  function dieAt(method: "begin" | "succeed" | "report", die: Die): void {
    const dies = function (this: wasm.Core): number {
      return die(() => this.status(Date.now()), wasm.normalText);
    };
    vi.spyOn(Core.prototype, method as "begin").mockImplementationOnce(dies);
  }

  test.each(
    DEATHS.flatMap(([name, die]) => (["begin", "succeed", "report"] as const).map((at) => ({ name, at, die }))),
  )("H080: $name at $at reaches no caller, is counted, and leaves an instance that works", async ({ at, die }) => {
    const [guard, other] = [guardOf(), guardOf()];
    for (const each of [guard, other]) await each.run(READ, async () => "before");
    freshInstance();
    other.status();
    const before = guard.status();
    dieAt(at, die);
    if (at === "report") {
      const unavailable = () => Promise.reject(new Error("the database's own"));
      expect(await rejection(guard.run(WRITE, unavailable))).toMatchObject({ message: "the database's own" });
    } else {
      expect(await guard.run(WRITE, async () => "during")).toBe("during");
    }
    expect(coreGeneration()).toBe(before.wasmRestarts + 1);
    for (const each of [guard, other]) {
      expect(await each.run(READ, async () => "after")).toBe("after");
      const { wasmRestarts, coreRecoveries, pool } = each.status();
      expect({ wasmRestarts, borrowed: pool.borrowed }).toEqual({ wasmRestarts: before.wasmRestarts + 1, borrowed: 0 });
      // That of the other one had to be made anew as well.
      expect(coreRecoveries).toBe(2);
    }
    await openCircuit(guard);
  });

  test.each(DEATHS)("H080: %s in what has no state is answered by the next instance", (_, die) => {
    freshInstance();
    const before = coreGeneration();
    expect(describeStatement("SELECT 1")).toBeDefined();
    expect(() => die(() => wasm.describeSettings("", new Float64Array(), "x"), wasm.normalText)).toThrow(
      /unreachable|stack/,
    );
    // Nobody noticed: the instance is as it was left. Memory that is full is found to be full the next time.
    normalText(BIG);
    expect(normalText("SELECT 1")).toBe("select ?");
    expect(judge(503, "SERVER_ERROR", true)).toBe(judge(503, "SERVER_ERROR", true));
    expect(coreGeneration()).toBeLessThanOrEqual(before + 1);
  });

  test("H080: memory that is full while a failure is judged hands on the database's own error", async () => {
    const guard = guardOf();
    await guard.run(READ, async () => "before");
    freshInstance();
    await guard.run(READ, async () => "before");
    const failing = guard.run(WRITE, async () => {
      fillMemory();
      throw failed(BIG, 503);
    });
    expect(await rejection(failing)).toMatchObject({ code: BIG });
    expect(await guard.run(READ, async () => "after")).toBe("after");
  });

  test("H080: a caller whose own stack ends gets its own error, and the next call works", async () => {
    const guard = guardOf();
    await guard.run(READ, async () => "before");
    freshInstance();
    const calls: Promise<unknown>[] = [];
    let refused = 0;
    const descend = (): void => {
      try {
        descend();
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
        refused += 1;
      }
      if (calls.length >= 3) return;
      calls.push(guard.run(READ, async () => "deep"));
    };
    descend();
    expect(refused).toBeGreaterThan(0);
    const settled = Promise.allSettled(calls);
    // What was cut short may have held a lease, which lapses.
    await vi.advanceTimersByTimeAsync(60_000);
    for (const ended of await settled) {
      if (ended.status === "rejected") expect(ended.reason).toBeInstanceOf(RangeError);
    }
    expect(await guard.run(READ, async () => "after")).toBe("after");
    expect(guard.status().pool.borrowed).toBe(0);
    await openCircuit(guard);
  });

  test("H080: an instance for which there was no room is made for the next caller", async () => {
    const guard = guardOf();
    await guard.run(READ, async () => "before");
    const before = guard.status().wasmRestarts;
    const { Instance } = WebAssembly;
    WebAssembly.Instance = class {
      constructor() {
        throw new RangeError("Maximum call stack size exceeded");
      }
    } as unknown as typeof Instance;
    try {
      dieAt("begin", panic);
      expect(await guard.run(READ, async () => "during")).toBe("during");
    } finally {
      WebAssembly.Instance = Instance;
    }
    expect(await guard.run(READ, async () => "after")).toBe("after");
    expect(guard.status()).toMatchObject({ wasmRestarts: before + 1, pool: { borrowed: 0 } });
  });

  /** Has the instance replaced, so that its exports are known and nothing of other tests is left in it. */
  function freshInstance(): void {
    replaceCore(coreGeneration());
    liveGeneration();
  }
});

describe("H080: the core of the monitor", () => {
  const TOKEN = "t".repeat(40);
  const original = MonitorCore.prototype.glance;

  function watched() {
    const primary = openClient(new FakeDatabase(), undefined);
    const monitor = monitorOn({ databases: { primary }, adminToken: TOKEN }, platformOf());
    const get = (path: string) => monitor.handle(new Request(`https://app.example.com${path}`));
    return { monitor, primary, get };
  }

  /** Lets the next call of one method end the instance for real. */
  function dieAt(method: "begin" | "answer" | "glance" | "orders" | "alerts" | "measure", die: Die): void {
    const dies = function (this: MonitorCore): never {
      return die(
        () => original.call(this, "/status", "{}", 0),
        (text) => this.bodyMax(text, "/"),
      );
    };
    vi.spyOn(MonitorCore.prototype, method).mockImplementationOnce(dies);
  }

  /** Ends the instance, so that the exports of the next one are known. */
  async function fresh({ monitor, get }: ReturnType<typeof watched>): Promise<void> {
    vi.spyOn(MonitorCore.prototype, "begin").mockImplementationOnce(() => {
      throw new WebAssembly.RuntimeError("unreachable");
    });
    await get("/api/health/live");
    expect((await get("/api/health/live")).status).toBe(200);
    await monitor.tick();
  }

  const restartsIn = (text: string, module: string) =>
    Number(new RegExp(`^seawall_wasm_restarts_total\\{module="${module}"\\} (\\d+)`, "m").exec(text)?.[1]);

  test.each(DEATHS.flatMap(([name, die]) => (["begin", "answer"] as const).map((at) => ({ name, at, die }))))(
    "H080: $name at $at is answered with a problem, counted, and the next request is served",
    async ({ at, die }) => {
      const one = watched();
      const { monitor, get } = one;
      await fresh(one);
      dieAt(at, die);
      const response = await get("/api/health");
      expect(response.status).toBe(500);
      expect(response.headers.get("content-type")).toBe("application/problem+json");
      expect(await response.json()).toMatchObject({ code: "INSTANCE_RESTARTED", status: 500 });
      expect((await get("/api/health")).status).toBe(200);
      await vi.advanceTimersByTimeAsync(2_000);
      expect(restartsIn(await monitor.metricsText(), "monitor")).toBe(2);
    },
  );

  test.each(DEATHS)("H080: %s is a typed error to whoever calls, or no error at all", async (_, die) => {
    const one = watched();
    const { monitor } = one;
    const counter = monitor.metrics.counter("jobs_total");
    await fresh(one);
    dieAt("begin", die);
    const refused = await rejection(monitor.metricsText());
    expect(refused).toBeInstanceOf(MonitorRestartedError);
    expect(refused).toMatchObject({ code: "INSTANCE_RESTARTED" });
    dieAt("begin", die);
    expect(await rejection(monitor.getHealthStatus())).toBeInstanceOf(MonitorRestartedError);
    dieAt("alerts", die);
    expect(await rejection(monitor.alerts.list())).toBeInstanceOf(MonitorRestartedError);
    dieAt("glance", die);
    expect(monitor.status()).toMatchObject({ databases: { primary: {} } });
    dieAt("orders", die);
    expect(monitor.orders).toEqual({});
    counter.add(1);
    dieAt("measure", die);
    counter.add(1);
    counter.add(1);
    await vi.advanceTimersByTimeAsync(2_000);
    const text = await monitor.metricsText();
    expect(text).toMatch(/^jobs_total 1$/m);
    expect(restartsIn(text, "monitor")).toBe(7);
  });

  test("H080: what the policies' core went through is counted as well, and their counters go on", async () => {
    const { primary, get } = watched();
    const other = openClient(new FakeDatabase(), undefined);
    await primary.execute("SELECT 1");
    const successes = async () => {
      await vi.advanceTimersByTimeAsync(2_000);
      const text = await (await get("/api/health/metrics")).text();
      const [, count] = /^seawall_operations_total\{pool="primary",outcome="success"\} (\d+)$/m.exec(text) ?? [];
      return { count: Number(count), restarts: restartsIn(text, "core") };
    };
    const before = await successes();
    expect(before.count).toBe(1);
    vi.spyOn(Core.prototype, "begin").mockImplementationOnce(() => {
      throw new WebAssembly.RuntimeError("unreachable");
    });
    // It is another database that meets it.
    await other.execute("SELECT 1");
    await primary.execute("SELECT 1");
    expect(await successes()).toEqual({ count: 2, restarts: before.restarts + 1 });
  });
});
