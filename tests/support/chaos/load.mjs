// Steady load: each isolate is asked so many times a second, whether it has answered the last question or not.
import { gateOf } from "./fleet.mjs";

/** An isolate that has not answered after this long never will, in milliseconds. */
const PATIENCE_MS = 10_000;

/**
 * How a call ended. `acknowledged`: it did what was asked. `refused`: surely without effect, says a policy. `error`:
 * surely without effect, says the database. `unknown`: the client says that it cannot know. `untyped`: an error that
 * says nothing. `silence`: no answer at all. `left`: the caller did not wait for it.
 *
 * @typedef {"acknowledged" | "refused" | "error" | "unknown" | "untyped" | "silence" | "left"} Ending
 *
 * @typedef {{
 *   isolate: string,
 *   kind: string,
 *   id: string | undefined,
 *   isUndone: boolean,
 *   beganAt: number,
 *   endedAt: number,
 *   ending: Ending,
 *   code: string,
 * }} Call
 *
 * `id` is what a write leaves behind; with `isUndone` it leaves nothing behind, even if it does what was asked.
 * `leaveMs`: the caller leaves after so long.
 *
 * @typedef {{ id?: string, isUndone?: boolean, leaveMs?: number, query?: Record<string, string | number> }} Question
 */

/**
 * Asks once and says how it ended. Never rejects.
 *
 * @param {import("./fleet.mjs").Fleet} fleet
 * @param {string} isolate
 * @param {string} kind The path: what is asked for.
 * @param {Question} [question]
 * @returns {Promise<Call>}
 */
export async function askOnce(fleet, isolate, kind, { id, isUndone = false, leaveMs, query = {} } = {}) {
  const beganAt = Date.now();
  const search = new URLSearchParams({ ...(id && { id }), ...(leaveMs && { leaveMs: String(leaveMs) }) });
  for (const [name, value] of Object.entries(query)) search.set(name, String(value));
  const door = leaveMs === undefined ? isolate : gateOf(isolate);
  const { ending, code } = await fleet.rig
    .ask(door, `/${kind}?${search}`, { signal: AbortSignal.timeout(PATIENCE_MS) })
    .then((response) => (kind === "api/health" ? healthEnding(response) : endingOf(response)))
    .catch((error) => ({ ending: /** @type {const} */ ("silence"), code: String(error) }));
  return { isolate, kind, id, isUndone, beganAt, endedAt: Date.now(), ending, code };
}

/** @param {Response} response @returns {Promise<{ ending: Ending, code: string }>} */
async function endingOf(response) {
  const text = await response.text();
  if (response.status === 499) return { ending: "left", code: "" };
  if (!response.ok) return { ending: "silence", code: `${response.status} ${text.slice(0, 200)}` };
  const answer = JSON.parse(text);
  if (answer.ok) return { ending: "acknowledged", code: "" };
  const code = answer.code ?? answer.message;
  if (!answer.isTyped) return { ending: "untyped", code };
  if (answer.outcome === "unknown") return { ending: "unknown", code };
  return { ending: answer.outcome === "not_executed" ? "refused" : "error", code };
}

/** The deployable Worker is asked how the database is. @param {Response} response @returns {Promise<{ ending: Ending, code: string }>} */
async function healthEnding(response) {
  if (response.status === 499) return { ending: "left", code: "" };
  const { database } = /** @type {{ database?: { connected: boolean } }} */ (await response.json());
  if (database === undefined) return { ending: "silence", code: `${response.status}` };
  return database.connected ? { ending: "acknowledged", code: "" } : { ending: "error", code: "not connected" };
}

/** A load that runs until it is stopped. */
export class Load {
  /** @type {Call[]} */
  calls = [];
  /** @type {Set<Promise<void>>} */
  #running = new Set();
  /** @type {NodeJS.Timeout[]} */
  #timers = [];
  #fleet;
  /** Questions asked so far, by isolate. @type {Map<string, number>} */
  #asked = new Map();

  /**
   * Every third call writes. The Worker that only watches is asked how the database is.
   *
   * @param {import("./fleet.mjs").Fleet} fleet
   * @param {number} perSecond Calls a second for each isolate.
   */
  constructor(fleet, perSecond) {
    this.#fleet = fleet;
    const everyMs = 1_000 / perSecond;
    for (const [place, isolate] of fleet.all.entries()) {
      const start = setTimeout(() => this.#timers.push(setInterval(() => this.#ask(isolate), everyMs)), place);
      this.#timers.push(start);
    }
  }

  /** Stops asking, and waits for what was asked. @returns {Promise<Call[]>} All calls, in the order in which they ended. */
  async stop() {
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all(this.#running);
    return this.calls;
  }

  /** @param {string} isolate */
  #ask(isolate) {
    const number = (this.#asked.get(isolate) ?? 0) + 1;
    this.#asked.set(isolate, number);
    const kind = isolate === this.#fleet.watcher ? "api/health" : number % 3 === 0 ? "write" : "read";
    const id = kind === "write" ? `${isolate}-${number}` : undefined;
    const running = askOnce(this.#fleet, isolate, kind, { ...(id && { id }) }).then((call) => {
      this.calls.push(call);
      this.#running.delete(running);
    });
    this.#running.add(running);
  }
}
