// What the callers were told, held against what is in the table.
import { sql } from "./fleet.mjs";

/**
 * `lost`: acknowledged, and not there. `repeated`: there more than once. `denied`: said to have had no effect, and
 * there. `mute`: neither a result nor an error that says what happened.
 *
 * @typedef {{
 *   counts: Record<import("./load.mjs").Ending, number>,
 *   unknownApplied: number,
 *   lost: string[],
 *   repeated: string[],
 *   denied: string[],
 *   mute: string[],
 * }} Ledger
 */

/**
 * @param {import("./fleet.mjs").Fleet} fleet Its load has stopped.
 * @param {readonly import("./load.mjs").Call[]} calls
 * @returns {Promise<Ledger>}
 */
export async function readLedger(fleet, calls) {
  /** @type {Map<string, number>} */
  const found = new Map();
  for (const [id, count] of await sql(fleet, "SELECT id, count(*) FROM writes GROUP BY id")) {
    found.set(String(id), Number(count));
  }
  /** @type {Ledger} */
  const ledger = {
    counts: { acknowledged: 0, refused: 0, error: 0, unknown: 0, untyped: 0, silence: 0, left: 0 },
    unknownApplied: 0,
    lost: [],
    repeated: [],
    denied: [],
    mute: [],
  };
  for (const { id, isUndone, ending, code, kind, isolate } of calls) {
    if (ending === "untyped" || ending === "silence") ledger.mute.push(`${isolate} ${kind}: ${code}`);
    if (id === undefined) continue;
    const count = found.get(id) ?? 0;
    ledger.counts[ending] += 1;
    if (count > 1) ledger.repeated.push(id);
    if (ending === "acknowledged" && !isUndone && count === 0) ledger.lost.push(id);
    const isDenied = isUndone || ending === "refused" || ending === "error";
    if (isDenied && count > 0) ledger.denied.push(`${id} ${kind} ${ending} ${code}`);
    if (ending === "unknown" && count > 0) ledger.unknownApplied += 1;
  }
  return ledger;
}
