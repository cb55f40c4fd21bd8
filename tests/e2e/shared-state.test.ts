// What one isolate learns, the next one knows; and a store that is out of order changes nothing but that.
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundleWorker } from "../support/workerd.mjs";
import { type Rig, startRig, until } from "./rig.ts";

const RECOVERY_MS = 2_000;
const COLD_READ_MS = 300;
/** What a loaded machine may add. */
const SLACK_MS = 1_000;

const OPTIONS = {
  circuitBreaker: { failureThreshold: 3, recoveryTimeout: RECOVERY_MS },
  retry: { attempts: 1 },
  timeouts: { query: 2_000 },
  // Each isolate probes in each window: from the few ids here nobody can tell how many isolates there are.
  state: { coldReadTimeout: COLD_READ_MS, writeJitter: 50, readInterval: 1_000, probesPerWindow: 1_000, rampTime: 0 },
};

const BROKEN: Record<string, unknown> = {
  throws: { kind: "throws" },
  hangs: { kind: "hangs" },
  "holds no snapshot": { kind: "holds", text: "\u0000 not a snapshot \uffff" },
  "holds an empty text": { kind: "holds", text: "" },
  "holds a megabyte": { kind: "holds", text: "A".repeat(1_000_000) },
  "holds no text at all": { kind: "holds", text: { cells: [] } },
};

interface Answer {
  value?: unknown;
  code?: string;
  ms: number;
}
interface State {
  breaker: { state: string; requests: number; retryAtMs?: number };
  totals: { hintsMerged: number; storeFailures: number };
  store: { gets: number; puts: number };
}

let rig: Rig;

async function ask(worker: string): Promise<Answer> {
  return (await (await rig.ask(worker)).json()) as Answer;
}

async function state(worker: string): Promise<State> {
  return (await (await rig.ask(worker, "/state")).json()) as State;
}

/** Sends queries until the isolate's circuit is open. */
async function open(worker: string): Promise<void> {
  await until(`${worker} refuses`, async () => (await ask(worker)).code === "CIRCUIT_OPEN");
}

/** Sends queries until the isolate's circuit is closed. */
async function recovers(worker: string): Promise<void> {
  const isClosed = async () => (await ask(worker)).value === 1 && (await state(worker)).breaker.state === "CLOSED";
  await until(`${worker} has recovered`, isClosed, RECOVERY_MS * 3);
}

async function stored(): Promise<string | null> {
  const kv = await rig.miniflare.getKVNamespace("HINTS", "a");
  const name = (await kv.list({ prefix: "seawall/" })).keys[0]?.name;
  return name === undefined ? null : kv.get(name, "text");
}

let hints: Awaited<ReturnType<typeof bundleWorker>>;

beforeAll(async () => {
  hints = await bundleWorker(join(import.meta.dirname, "workers/hints.ts"));
});
afterAll(() => rig?.stop());

/** One isolate per name, all with one KV namespace. */
async function start(stores: Record<string, unknown>): Promise<void> {
  await rig?.stop();
  rig = await startRig((url) =>
    Object.fromEntries(
      Object.entries(stores).map(([name, STORE]) => [
        name,
        { modules: hints, bindings: { DATABASE_URL: url, OPTIONS, STORE }, kvNamespaces: { HINTS: "hints" } },
      ]),
    ),
  );
}

describe("isolates that share a KV namespace", () => {
  beforeAll(() => start({ a: { kind: "kv" }, b: { kind: "kv" }, c: { kind: "kv" } }));

  it("a new isolate refuses before it has asked the database anything", async () => {
    expect((await ask("a")).value).toBe(1);
    expect((await state("a")).store).toEqual({ gets: 1, puts: 0 });
    await rig.proxy.set({ kind: "status" });
    await open("a");
    await until("the hint is in KV", async () => (await stored()) !== null);

    const before = rig.proxy.requests;
    expect((await ask("b")).code).toBe("CIRCUIT_OPEN");
    expect(rig.proxy.requests).toBe(before);
    const { breaker, totals } = await state("b");
    expect(breaker).toMatchObject({ state: "OPEN", requests: 0 });
    expect(totals.hintsMerged).toBe(1);
  });

  it("an open circuit refuses without touching the server", async () => {
    const isLasting = async () => ((await state("a")).breaker.retryAtMs ?? 0) > Date.now() + RECOVERY_MS / 2;
    await until("the circuit has just opened", async () => (await ask("a")).code === "CIRCUIT_OPEN" && isLasting());
    const before = rig.proxy.requests;
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask("a")));
    expect(answers.map(({ code }) => code)).toEqual(Array(50).fill("CIRCUIT_OPEN"));
    expect(rig.proxy.requests).toBe(before);
  });

  it("all serve after the repair, and the outage has cost two writes and a later isolate nothing", async () => {
    const open = await stored();
    await rig.proxy.set({ kind: "pass" });
    await Promise.all([recovers("a"), recovers("b")]);
    await until("the recovery is in KV", async () => (await ask("a")).value === 1 && (await stored()) !== open);
    const writes = (await state("a")).store.puts + (await state("b")).store.puts;
    expect(writes).toBeGreaterThanOrEqual(2);
    expect(writes).toBeLessThanOrEqual(3);
    expect(await ask("c")).toMatchObject({ value: 1 });
  });
});

describe("isolates whose stores are out of order", () => {
  beforeAll(() => start(BROKEN));

  it.each(Object.keys(BROKEN))("a store that %s delays the first query by the cold read at most", async (name) => {
    const { value, ms } = await ask(name);
    expect(value).toBe(1);
    expect(ms).toBeLessThan(COLD_READ_MS + SLACK_MS);
  });

  it("their breakers open and recover as ever", async () => {
    const names = Object.keys(BROKEN);
    await rig.proxy.set({ kind: "status" });
    await Promise.all(names.map(open));
    await rig.proxy.set({ kind: "pass" });
    await Promise.all(names.map(recovers));
  });
});

describe("a store that still holds an outage that has passed", () => {
  beforeAll(() => start({ a: { kind: "kv" }, late: { kind: "frozen" } }));

  it("holds a new isolate up for one recovery time at most", async () => {
    await rig.proxy.set({ kind: "status" });
    await open("a");
    await until("the hint is in KV", async () => (await stored()) !== null);
    await (await rig.miniflare.getKVNamespace("HINTS", "a")).put("frozen", (await stored()) ?? "");
    await rig.proxy.set({ kind: "pass" });
    await recovers("a");

    const began = Date.now();
    expect((await ask("late")).code).toBe("CIRCUIT_OPEN");
    await recovers("late");
    expect(Date.now() - began).toBeLessThan(RECOVERY_MS + SLACK_MS);
  });
});
