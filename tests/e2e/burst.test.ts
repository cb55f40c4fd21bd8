// A client at module scope in workerd, hit by many requests at once, some of which are cancelled half-way.
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { bundleWorker } from "../support/workerd.mjs";
import { type Rig, startRig, until } from "./rig.ts";

const workers = join(import.meta.dirname, "workers");
const DEADLINE_MS = 8_000;
/** What a loaded machine may add between a deadline and the line of code that notices. */
const SLACK_MS = 1_000;
const HUNG = /code had hung|will never complete|different request/i;
/** Callers that leave do so after this, while the first two hold a lease and the others wait for one. */
const LEAVE_MS = 200;

const OPTIONS = {
  seawall: {
    connectionPool: { maxConnections: 2, acquireTimeout: 6_000, leaseTtl: 600 },
    timeouts: { query: DEADLINE_MS },
    retry: { attempts: 2, initialDelay: 50 },
  },
};

/** For a database that does not keep up. */
const IMPATIENT = {
  seawall: {
    connectionPool: { maxConnections: 2, acquireTimeout: 1_000 },
    circuitBreaker: { recoveryTimeout: 500 },
    timeouts: { query: 1_500 },
    retry: { attempts: 1 },
  },
};

interface Answer {
  value?: unknown;
  isTyped?: boolean;
  code?: string;
  ms: number;
}

let rig: Rig;

/** What the Worker answered, or in words what the runtime did instead. */
async function ask(worker: string, path = "/", patienceMs = 30_000): Promise<Answer | string> {
  try {
    const response = await rig.ask(worker, path, { signal: AbortSignal.timeout(patienceMs) });
    const text = await response.text();
    return response.ok ? (JSON.parse(text) as Answer) : `${response.status} ${text}`;
  } catch (error) {
    return String(error);
  }
}

function answered(answers: (Answer | string)[]): number {
  return answers.filter((answer) => typeof answer === "object" && answer.value === 1).length;
}

/** A result, or an error that has a type and a code, before the deadline. */
function expectEnding(answer: Answer | string, deadlineMs: number, codes?: string[]): void {
  if (typeof answer === "string") throw new Error(`neither a result nor a typed error: ${answer}`);
  const isTyped = answer.isTyped === true && (codes === undefined || codes.includes(answer.code ?? ""));
  expect(answer.value === 1 || isTyped, JSON.stringify(answer)).toBe(true);
  expect(answer.ms).toBeLessThan(deadlineMs + SLACK_MS);
}

async function leaked(): Promise<number> {
  const status = (await (await rig.ask("seawall", "/state")).json()) as { pool: { leaked: number } };
  return status.pool.leaked;
}

beforeAll(async () => {
  const burst = join(workers, "burst.ts");
  const [ours, upstream, gate] = await Promise.all([
    bundleWorker(burst, { alias: { "client-under-test": "seawall" } }),
    bundleWorker(burst, { alias: { "client-under-test": "@libsql/client/web" } }),
    bundleWorker(join(workers, "gate.ts")),
  ]);
  rig = await startRig((url) => ({
    seawall: { modules: ours, bindings: { DATABASE_URL: url, OPTIONS } },
    impatient: { modules: ours, bindings: { DATABASE_URL: url, OPTIONS: IMPATIENT } },
    upstream: { modules: upstream, bindings: { DATABASE_URL: url, OPTIONS: {} } },
    gate: { modules: gate, serviceBindings: { BEHIND: "seawall" } },
  }));
});
afterAll(() => rig?.stop());
beforeEach(() => rig.proxy.set({ kind: "pass" }));

describe("a pool of 2 at module scope", () => {
  it.each([60, 200, 1_000])("survives a burst of %i requests, some of them cancelled", async (size) => {
    const leakedBefore = await leaked();
    await rig.proxy.set({ kind: "slow", ms: 2_000 });
    const leaving = [ask("gate", `/?leaveMs=${LEAVE_MS}`), ask("gate", `/?leaveMs=${LEAVE_MS}`)];
    await until("both leases are held", () => rig.proxy.concurrent === 2);
    await rig.proxy.set({ kind: "pass" });
    const aborting: Promise<Answer | string>[] = [];
    const staying: Promise<Answer | string>[] = [];
    for (let index = leaving.length; index < size; index += 1) {
      if (index % 10 === 0) leaving.push(ask("gate", `/?leaveMs=${LEAVE_MS}`));
      else if (index % 10 === 5) aborting.push(ask("seawall", `/?abortMs=${LEAVE_MS}`));
      else staying.push(ask("seawall"));
    }

    const left = await Promise.all(leaving);
    expect(left.slice(0, 2)).toEqual(["499 left", "499 left"]);
    const answers = await Promise.all(staying);
    for (const answer of answers) expectEnding(answer, DEADLINE_MS);
    for (const answer of await Promise.all(aborting)) expectEnding(answer, DEADLINE_MS, ["ABORTED"]);
    expect(rig.log()).not.toMatch(HUNG);
    await until("the leases of the first two have lapsed", async () => (await leaked()) >= leakedBefore + 2);

    const after = await Promise.all(Array.from({ length: 20 }, () => ask("seawall")));
    expect(answered(after)).toBe(20);
  });
});

describe("a pool of 2 before a database that does not keep up", () => {
  it.each([
    ["is too slow", { kind: "slow", ms: 400 }, ["POOL_TIMEOUT"]],
    ["never answers", { kind: "hang" }, ["POOL_TIMEOUT", "DEADLINE_EXCEEDED", "CIRCUIT_OPEN"]],
    ["is not there", { kind: "refuse" }, ["CONNECT_FAILED", "CONNECTION_LOST", "CIRCUIT_OPEN"]],
  ] as const)("ends each of 200 requests in time when it %s", async (_, mode, codes) => {
    await rig.proxy.set(mode);
    const answers = await Promise.all(Array.from({ length: 200 }, () => ask("impatient")));
    for (const answer of answers) expectEnding(answer, IMPATIENT.seawall.timeouts.query, [...codes]);
    expect(answered(answers)).toBeLessThan(200);
    expect(rig.log()).not.toMatch(HUNG);

    await rig.proxy.set({ kind: "pass" });
    await until("the client works", async () => answered([await ask("impatient"), await ask("impatient")]) === 2);
    expect(answered(await Promise.all(Array.from({ length: 20 }, () => ask("impatient"))))).toBe(20);
  });
});

describe("@libsql/client/web in the same rig", () => {
  it("is dead after a burst of 60", async () => {
    const burst = await Promise.all(Array.from({ length: 60 }, () => ask("upstream", "/", 5_000)));
    const after = await Promise.all(Array.from({ length: 20 }, () => ask("upstream", "/", 5_000)));
    expect(answered(burst)).toBeLessThan(60);
    expect(answered(after)).toBe(0);
    expect(rig.log()).toMatch(HUNG);
  });
});
