// Who is measured when: subjects take turns within a round, so that what else the machine does meets all of them alike.

/** @import { Turn } from "./subjects/child.mjs" */

/**
 * Subjects that do the same thing, by name.
 *
 * @typedef {{ id: string, entrants: Record<string, () => Promise<Turn>> }} Contest
 */

/**
 * Medians over the rounds, per run: `cpuMs` is null where the platform does not tell.
 *
 * @typedef {{ wallMs: number, cpuMs: number | null }} Score
 */

/** @typedef {Map<string, Record<string, Score>>} Scores Contest id to entrant to score. */

/** How often a turn is tried. */
const TURN_TRIES = 3;

/** The middle value, or the mean of the two in the middle; NaN of nothing. @param {number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/**
 * Runs `rounds` rounds after one that does not count. Who begins changes from round to round.
 *
 * @param {readonly Contest[]} contests @param {number} rounds @param {(text: string) => void} say
 * @returns {Promise<Scores>}
 */
export async function hold(contests, rounds, say) {
  /** @type {Map<string, Record<string, Turn[]>>} */
  const turns = new Map(contests.map(({ id, entrants }) => [id, mapValues(entrants, () => [])]));
  for (let round = 0; round <= rounds; round += 1) {
    say(round === 0 ? "warming up" : `round ${round} of ${rounds}`);
    for (const { id, entrants } of contests) {
      const names = Object.keys(entrants);
      for (let i = 0; i < names.length; i += 1) {
        const name = /** @type {string} */ (names[(i + round) % names.length]);
        const turn = await takeTurn(/** @type {() => Promise<Turn>} */ (entrants[name]), say);
        if (round > 0) turns.get(id)?.[name]?.push(turn);
      }
    }
  }
  return new Map([...turns].map(([id, byName]) => [id, mapValues(byName, scoreOf)]));
}

/**
 * A server under load may answer one request of a hundred thousand with an error; that turn is taken again.
 *
 * @param {() => Promise<Turn>} take @param {(text: string) => void} say
 * @returns {Promise<Turn>}
 * @throws {Error} When it fails again and again.
 */
async function takeTurn(take, say) {
  for (let failures = 0; ; ) {
    try {
      return await take();
    } catch (error) {
      failures += 1;
      if (failures === TURN_TRIES) throw error;
      say(`a turn failed and is taken again: ${/** @type {Error} */ (error).message.split("\n", 1)[0]}`);
    }
  }
}

/** @param {Turn[]} turns @returns {Score} */
function scoreOf(turns) {
  const cpu = turns.flatMap(({ cpuMs, runs }) => (cpuMs === null ? [] : [cpuMs / runs]));
  return {
    wallMs: median(turns.map(({ wallMs, runs }) => wallMs / runs)),
    cpuMs: cpu.length < turns.length ? null : median(cpu),
  };
}

/**
 * @template T, U
 * @param {Record<string, T>} object @param {(value: T) => U} change
 * @returns {Record<string, U>}
 */
function mapValues(object, change) {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]));
}
