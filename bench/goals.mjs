// What the numbers must reach, by the id of the row that is judged. The only place with a goal in it.

/**
 * A bound on one number of a row.
 *
 * @typedef {object} Goal
 * @property {"ratio" | "ours" | "difference"} on `ratio` is ours / peer, `difference` is ours - peer, in the row's unit.
 * @property {"least" | "most"} bound Whether `value` is the least or the most that is allowed.
 * @property {number} value
 */

/** @param {Goal["on"]} on @param {number} value @returns {Goal} */
const least = (on, value) => ({ on, bound: "least", value });
/** @param {Goal["on"]} on @param {number} value @returns {Goal} */
const most = (on, value) => ({ on, bound: "most", value });

/** @type {Readonly<Record<string, Goal>>} */
export const GOALS = {
  "node.select1": least("ratio", 1.4),
  "node.rows100": least("ratio", 3),
  "node.rows10000": least("ratio", 8),
  "workerd.rows10000": least("ratio", 2),
  "node.batch20": least("ratio", 1.5),
  "node.transaction5": least("ratio", 1.6),

  "guard.call": most("ratio", 1.2),
  "guard.call.sampling": most("ratio", 1.2),
  "guard.call.limit": most("ours", 240),
  "guard.deadline": most("ours", 900),
  "guard.refusal": most("ours", 1_200),
  "guard.refusal-value": most("ours", 100),

  "cache.hit.bare": most("difference", 60),
  "cache.zipf.2500": least("ours", 85),

  "flags.boolean": most("ours", 40),
  "flags.complex": most("ours", 60),
  "flags.call": most("ours", 200),
  "flags.bulk": most("ours", 50),
  "flags.load": most("ours", 5),
  "flags.native.boolean": most("ours", 25),
  "flags.native.complex": most("ours", 40),

  // Once a second, whatever the traffic.
  "health.probes": most("ours", 1),

  "size.core-gzip": most("ours", 100_000),
  "cold.first-answer": most("difference", 3),
};

/**
 * Whether a row reaches its goal; null when it has none, or when the number was not measured.
 *
 * @param {Goal | undefined} goal @param {number | null} ours @param {number | null} peer
 * @returns {boolean | null}
 */
export function isMet(goal, ours, peer) {
  if (goal === undefined || ours === null) return null;
  if (goal.on !== "ours" && peer === null) return null;
  const other = peer ?? Number.NaN;
  const judged = { ours, ratio: ours / other, difference: ours - other }[goal.on];
  return goal.bound === "least" ? judged >= goal.value : judged <= goal.value;
}
