// What health requests cost the isolate that answers, and the database behind it: `handle` of the package in Node, with a real
// server, counted at a proxy before it.
import { performance } from "node:perf_hooks";
import { startFaultProxy } from "../../tests/support/fault-proxy.mjs";

/** @import { Plan } from "../run.mjs" */
/** @import { Row } from "../report.mjs" */

const REQUESTS = { full: 10_000, quick: 2_000 };
/** A probe answers for so long, in milliseconds. */
const INTERVAL_MS = 1_000;
/** Callers at once. */
const CALLERS = 50;

/** @param {Plan} plan @returns {Promise<Row[]>} */
export async function measureHealth(plan) {
  const ids = ["health.probes", "health.p50", "health.p99"];
  if (!ids.some((id) => plan.wants(id))) return [];
  const { createClient } = await import("../../js/dist/index.js");
  const { createMonitor } = await import("../../js/dist/monitor/index.js");
  const proxy = await startFaultProxy(await plan.database());
  const primary = createClient({ url: proxy.url });
  const monitor = createMonitor({ databases: { primary } });
  try {
    const ask = () => monitor.handle(new Request("http://127.0.0.1/api/health"));
    for (let n = 0; n < 200; n += 1) await ask();
    const requests = plan.isQuick ? REQUESTS.quick : REQUESTS.full;
    const before = proxy.requests;
    const began = performance.now();
    /** @type {number[]} */
    const took = [];
    const caller = async () => {
      while (took.length < requests) {
        const sent = performance.now();
        const response = await ask();
        if (response.status !== 200) throw new Error(`/api/health answered ${response.status}`);
        took.push(performance.now() - sent);
        // As requests come: each in a turn of its own.
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));
    const probes = proxy.requests - before;
    const lastedMs = performance.now() - began;
    plan.say(`health: ${took.length} requests in ${lastedMs.toFixed(0)} ms made ${probes} probes`);
    took.sort((left, right) => left - right);
    const at = (/** @type {number} */ share) => took[Math.floor(share * (took.length - 1))] ?? null;
    const none = { peer: null, peerName: null, cpu: null, better: /** @type {const} */ ("less") };
    const intervals = Math.floor(lastedMs / INTERVAL_MS) + 1;
    /** @type {Row[]} */
    const rows = [
      { id: "health.probes", title: "health: probes per interval", unit: "probes", ours: probes / intervals, ...none },
      { id: "health.p50", title: "health: one document, p50", unit: "ms", ours: at(0.5), ...none },
      { id: "health.p99", title: "health: one document, p99", unit: "ms", ours: at(0.99), ...none },
    ];
    return rows.filter(({ id }) => plan.wants(id));
  } finally {
    monitor.close();
    primary.close();
    await proxy.close();
  }
}
