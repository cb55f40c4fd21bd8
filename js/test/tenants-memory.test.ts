// A hundred thousand tenants in one isolate: few of them live, and what is kept of the others is small.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { wasmMemory } from "../src/generated/core.js";
import { Tenants } from "../src/tenants/tenants.ts";
import { platformOf, START } from "./guards.ts";

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

const TENANTS = 100_000;
const LIVE = 1_000;
const KEPT = 50_000;
/** Of 128 MB that an isolate has: 1,000 live tenants, 50,000 residues of tens of bytes with their names, and some air. */
const HEAP_MAX = 24 * 2 ** 20;
const CORE_MAX = 8 * 2 ** 20;

async function heapUsed(): Promise<number> {
  for (let turn = 0; turn < 4; turn += 1) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return process.memoryUsage().heapUsed;
}

test("TIER-08: 100,000 tenants stay within the budget of one isolate, by number and by bytes", async () => {
  let now = START;
  const platform = platformOf({ now: () => now });
  const open = (id: string) => ({
    client: { ask: async () => id },
    tier: "FREE" as const,
    rateLimit: { rate: 0.000_001, burst: 1 },
    circuitBreaker: { minimumCalls: 1 },
  });
  const tenants = new Tenants({ open, maxLive: LIVE, maxResidues: KEPT }, platform);
  const ask = (id: string) => tenants.get<{ ask(): Promise<string> }>(id).ask();
  for (let n = 0; n < LIVE; n += 1) await ask(`warm-${n}`);
  const [heapBefore, coreBefore] = [await heapUsed(), wasmMemory().buffer.byteLength];
  for (let n = 0; n < TENANTS; n += 1) {
    now += 1;
    await ask(`project-${n}`);
  }
  expect(tenants.status()).toMatchObject({ live: LIVE, residues: KEPT, evicted: TENANTS });
  expect((await heapUsed()) - heapBefore).toBeLessThan(HEAP_MAX);
  expect(wasmMemory().buffer.byteLength - coreBefore).toBeLessThan(CORE_MAX);
  // What the latest ones used up is known still.
  await expect(ask(`project-${TENANTS - LIVE - 1}`)).rejects.toMatchObject({ code: "RATE_LIMITED" });
}, 300_000);
