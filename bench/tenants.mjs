// What one tenant weighs: live and idle, and put aside. `node --expose-gc bench/tenants.mjs [tenants]`, after `npm run build`.
//
// Live tenants are clients that ran one statement each. The heap is JavaScript's after a collection; the core's memory is
// what its allocator asked the engine for, in pages of 64 KB, so it is measured over many tenants.
import { performance } from "node:perf_hooks";

if (typeof globalThis.gc !== "function") throw new Error("run it with --expose-gc");

/** @type {WebAssembly.Memory[]} */
const memories = [];
// Before the package makes its instance: it does not show its memory.
WebAssembly.Instance = new Proxy(WebAssembly.Instance, {
  construct(target, [module, imports]) {
    const instance = new target(module, imports);
    if (instance.exports.memory instanceof WebAssembly.Memory) memories.push(instance.exports.memory);
    return instance;
  },
});
const { Tenants } = await import("../js/dist/index.js");

const RESULT =
  '{"cols":[{"name":"n"}],"rows":[[{"type":"integer","value":"1"}]],"affected_row_count":0,"last_insert_rowid":null}';
const ANSWER = `{"baton":null,"base_url":null,"results":[{"type":"ok","response":{"type":"execute","result":${RESULT}}},{"type":"ok","response":{"type":"close"}}]}`;
const open = () => ({
  url: "https://tenant.example.com",
  tier: "FREE",
  // Long enough that every tenant leaves something.
  rateLimit: { rate: 0.001, burst: 1 },
  fetch: async () => new Response(ANSWER, { headers: { "content-type": "application/json" } }),
});

async function weigh() {
  // Some objects go only after those that watch over them were told, in a later turn.
  for (let turn = 0; turn < 5; turn += 1) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed } = process.memoryUsage();
  return { heap: heapUsed, core: memories.reduce((sum, memory) => sum + memory.buffer.byteLength, 0) };
}

/** @param {number} count @param {number} maxLive */
async function filled(count, maxLive) {
  const tenants = new Tenants({ open, maxLive, maxResidues: count });
  const began = performance.now();
  for (let n = 0; n < count; n += 1) await tenants.get(`project-${n}`).execute("SELECT 1");
  return { tenants, perTenantUs: ((performance.now() - began) / count) * 1_000 };
}

const count = Number(process.argv[2] ?? 100_000);
await filled(200, 10);

const LIVE = 2_000;
let before = await weigh();
const live = await filled(LIVE, LIVE);
let after = await weigh();
console.log(
  `live and idle: ${Math.round((after.heap - before.heap) / LIVE)} bytes of heap, ${Math.round((after.core - before.core) / LIVE)} of the core's memory each (${LIVE} tenants)`,
);
live.tenants.close();

before = await weigh();
const many = await filled(count, 1_000);
after = await weigh();
const { residues, live: stay } = many.tenants.status();
console.log(
  `${count} tenants: ${stay} live, ${residues} residues; heap +${((after.heap - before.heap) / 2 ** 20).toFixed(1)} MB, core +${((after.core - before.core) / 2 ** 20).toFixed(1)} MB, ${many.perTenantUs.toFixed(0)} µs for each tenant that is opened, used and put aside`,
);
// Without those that live, only residues are left.
for (let n = count - stay; n < count; n += 1) many.tenants.evict(`project-${n}`);
const rest = await weigh();
console.log(`put aside: ${Math.round((rest.heap - before.heap) / count)} bytes of heap each, its name included`);
