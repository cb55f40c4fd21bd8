// The policies alone, around an async function that has its result at once: CPU per call.
import { hold } from "../rounds.mjs";
import { Child } from "../subjects/child.mjs";

/** @import { Plan } from "../run.mjs" */
/** @import { Row } from "../report.mjs" */

const BUDGET_MS = { full: 100, quick: 50 };

/**
 * One row each: id, title, our variant, the peer's file in bench/guards and its variant, the peer's name.
 *
 * @type {readonly (readonly [string, string, string, string, string, string])[]}
 */
const ROWS = [
  ["guard.call", "guarded call", "call", "cockatiel", "call", "cockatiel, ConsecutiveBreaker"],
  ["guard.call.limit", "guarded call, absolute", "call", "cockatiel", "call", "cockatiel, ConsecutiveBreaker"],
  ["guard.call.sampling", "guarded call", "call", "cockatiel", "sampling", "cockatiel, SamplingBreaker"],
  ["guard.call.opossum", "guarded call", "call", "opossum", "call", "opossum, timeout off"],
  ["guard.call.bare", "guarded call", "call", "bare", "call", "no guard"],
  ["guard.deadline", "the same with a deadline", "deadline", "opossum", "deadline", "opossum"],
  ["guard.deadline.cockatiel", "the same with a deadline", "deadline", "cockatiel", "deadline", "cockatiel, timeout"],
  ["guard.deadline.bare", "the same with a deadline", "deadline", "bare", "deadline", "a bare timer"],
  ["guard.refusal", "refusal, thrown", "refusal", "opossum", "refusal", "opossum"],
  ["guard.refusal.cockatiel", "refusal, thrown", "refusal", "cockatiel", "refusal", "cockatiel"],
  ["guard.refusal-value", "refusal, as a value", "refusal-value", "opossum", "refusal", "opossum, thrown"],
  ["guard.layers.off", "query, layers for 0 %", "layers-off", "seawall", "query", "the same without layers"],
  ["guard.layers.on", "query, layers for 100 %", "layers-on", "seawall", "query", "the same without layers"],
  ["cache.hit", "read that is kept", "hit", "lru-cache", "hit", "lru-cache, ttl"],
  ["cache.hit.bare", "read that is kept", "hit", "bare", "hit", "a promise alone"],
];

/** @param {Plan} plan @returns {Promise<Row[]>} */
export async function measureGuards(plan) {
  const rows = ROWS.filter(([id]) => plan.wants(id));
  if (rows.length === 0) return [];
  /** @type {Map<string, Child>} */
  const children = new Map();
  const budgetMs = plan.isQuick ? BUDGET_MS.quick : BUDGET_MS.full;
  // A process for each contest: who is in two of them would have twice the turns, and be warmer than who is in one.
  /** @param {string} contest @param {string} name @param {string} variant */
  const entrant = (contest, name, variant) => {
    const key = `${name} ${variant}`;
    const child = children.get(`${contest}: ${key}`) ?? new Child("guard.mjs", [name, variant]);
    children.set(`${contest}: ${key}`, child);
    return [key, () => child.ask({ budgetMs })];
  };
  try {
    // One contest for each of our variants, with all the peers that it is compared with.
    const contests = [...new Set(rows.map(([, , variant]) => variant))].map((variant) => {
      const peers = rows.filter((row) => row[2] === variant).map((row) => entrant(variant, row[3], row[4]));
      return { id: variant, entrants: Object.fromEntries([entrant(variant, "seawall", variant), ...peers]) };
    });
    const scores = await hold(contests, plan.rounds, (text) => plan.say(`guard: ${text}`));
    return rows.map(([id, title, variant, name, theirs, peerName]) => {
      const score = scores.get(variant);
      /** @param {string} key */
      const cpuNs = (key) => (score?.[key]?.cpuMs ?? Number.NaN) * 1e6;
      const ours = cpuNs(`seawall ${variant}`);
      return { id, title, unit: "ns CPU", better: "less", ours, peer: cpuNs(`${name} ${theirs}`), peerName, cpu: null };
    });
  } finally {
    for (const child of children.values()) await child.end();
  }
}
