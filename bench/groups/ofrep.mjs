// All of 1,000 flags by OFREP: `handle` of a monitor, in a process of its own, without a server before it.
import { hold } from "../rounds.mjs";
import { Child } from "../subjects/child.mjs";

/** @import { Plan } from "../run.mjs" */
/** @import { Row } from "../report.mjs" */

const BUDGET_MS = { full: 300, quick: 100 };
/** Id, what is timed in bench/subjects/ofrep.mjs, and title. */
const ROWS = /** @type {const} */ ([
  ["ofrep.bulk", "all", "OFREP: 1,000 flags, one user"],
  ["ofrep.bulk.unchanged", "unchanged", "OFREP: the same, If-None-Match"],
]);

/** @param {Plan} plan @returns {Promise<Row[]>} */
export async function measureOfrep(plan) {
  const wanted = ROWS.filter(([id]) => plan.wants(id));
  if (wanted.length === 0) return [];
  const budgetMs = plan.isQuick ? BUDGET_MS.quick : BUDGET_MS.full;
  const children = new Map(wanted.map(([, what]) => [what, new Child("ofrep.mjs", [what])]));
  try {
    const entrants = Object.fromEntries([...children].map(([what, child]) => [what, () => child.ask({ budgetMs })]));
    const contest = { id: "ofrep", entrants };
    const scores = (await hold([contest], plan.rounds, (text) => plan.say(`ofrep: ${text}`))).get(contest.id);
    return wanted.map(([id, what, title]) => {
      const ours = (scores?.[what]?.cpuMs ?? Number.NaN) * 1e3;
      return { id, title, unit: "us CPU", better: "less", ours, peer: null, peerName: null, cpu: null };
    });
  } finally {
    for (const child of children.values()) await child.end();
  }
}
