// A query cache at module scope in workerd: equal reads of many requests are one, whoever of them leaves.
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { bundleWorker } from "../support/workerd.mjs";
import { type Rig, startRig, until } from "./rig.ts";

const workers = join(import.meta.dirname, "workers");
const HUNG = /code had hung|will never complete|different request/i;
/** How long the one read takes, and when its caller leaves. */
const SLOW_MS = 1_500;
const LEAVE_MS = 200;

const seawall = {
  connectionPool: { acquireTimeout: 20_000 },
  timeouts: { query: 20_000 },
  queryCache: { enabled: true, ttl: 60_000, loadLease: 20_000 },
};
/** Takes over soon: who leads there dies with his request. */
const IMPATIENT = { seawall: { ...seawall, queryCache: { ...seawall.queryCache, loadLease: 500 } } };

let rig: Rig;
let next = 0;

/** A key that nobody has asked for. */
function newKey(): string {
  next += 1;
  return `key-${next}`;
}

async function ask(worker: string, path: string): Promise<unknown> {
  const response = await rig.ask(worker, path, { signal: AbortSignal.timeout(30_000) });
  const text = await response.text();
  return response.ok ? JSON.parse(text) : `${response.status} ${text}`;
}

beforeAll(async () => {
  const [cached, mortal, gate] = await Promise.all([
    bundleWorker(join(workers, "cached.ts")),
    bundleWorker(join(workers, "cached.ts"), { alias: { "cloudflare:workers": join(workers, "no-wait-until.ts") } }),
    bundleWorker(join(workers, "gate.ts")),
  ]);
  rig = await startRig((url) => ({
    cached: { modules: cached, bindings: { DATABASE_URL: url, OPTIONS: { seawall } } },
    mortal: { modules: mortal, bindings: { DATABASE_URL: url, OPTIONS: IMPATIENT } },
    gate: { modules: gate, serviceBindings: { BEHIND: "cached" } },
    "gate-of-mortal": { modules: gate, serviceBindings: { BEHIND: "mortal" } },
  }));
  // The first request of a client asks for the protocol's version.
  for (const worker of ["cached", "mortal"]) expect(await ask(worker, "/?id=first")).toEqual({ value: "first" });
});
afterAll(() => rig?.stop());
beforeEach(() => rig.proxy.set({ kind: "pass" }));

describe("equal reads at the same time", () => {
  test.each([60, 1_000])("QC-05: %i are one request", async (size) => {
    const id = newKey();
    const before = rig.proxy.requests;
    await rig.proxy.set({ kind: "slow", ms: SLOW_MS });
    const answers = await Promise.all(Array.from({ length: size }, () => ask("cached", `/?id=${id}`)));
    expect(answers).toEqual(Array.from({ length: size }, () => ({ value: id })));
    expect(rig.proxy.requests - before).toBe(1);
    expect(rig.log()).not.toMatch(HUNG);
  });

  test.each([60, 1_000])("QC-05: %i are one request also when the first caller leaves", async (size) => {
    const id = newKey();
    const before = rig.proxy.requests;
    await rig.proxy.set({ kind: "slow", ms: SLOW_MS });
    const left = ask("gate", `/?leaveMs=${LEAVE_MS}&id=${id}`);
    await until("the first read is out", () => rig.proxy.requests === before + 1);
    const staying = Array.from({ length: size - 1 }, () => ask("cached", `/?id=${id}`));
    expect(await left).toBe("499 left");
    expect(await Promise.all(staying)).toEqual(staying.map(() => ({ value: id })));
    expect(rig.proxy.requests - before).toBe(1);
    expect(rig.log()).not.toMatch(HUNG);
  });

  test("QC-05: one who waits takes over where a request that ended takes its load with it", async () => {
    const id = newKey();
    const before = rig.proxy.requests;
    await rig.proxy.set({ kind: "hang" });
    const left = ask("gate-of-mortal", `/?leaveMs=${LEAVE_MS}&id=${id}`);
    await until("the first read is out", () => rig.proxy.requests === before + 1);
    const staying = Array.from({ length: 20 }, () => ask("mortal", `/?id=${id}`));
    expect(await left).toBe("499 left");
    await rig.proxy.set({ kind: "pass" });
    expect(await Promise.all(staying)).toEqual(staying.map(() => ({ value: id })));
    expect(rig.proxy.requests - before).toBe(2);
    expect(rig.log()).not.toMatch(HUNG);
  });
});

test("what is kept is served without a request", async () => {
  const id = newKey();
  const before = rig.proxy.requests;
  for (let turn = 0; turn < 5; turn += 1) expect(await ask("cached", `/?id=${id}`)).toEqual({ value: id });
  expect(rig.proxy.requests - before).toBe(1);
  expect(await ask("cached", "/stats")).toMatchObject({ staleOnError: 0 });
});
