// Reads and writes at a steady rate, whatever becomes of them, and what their caller was told of each.

const READ = "SELECT name FROM items WHERE id = 2";

/**
 * `acknowledged`: a result. `refused`: an error that says that nothing was executed. `unknown`: an error that says that
 * it may have been. `error`: any other.
 *
 * @typedef {{ kind: "read" | "write", id: string, beganAt: number, tookMs: number,
 *   ending: "acknowledged" | "refused" | "unknown" | "error", code: string }} Call
 */

/** One client under load. */
export class SteadyLoad {
  /** Calls that have ended. @type {Call[]} */
  calls = [];
  #client;
  /** @type {Set<Promise<void>>} */
  #running = new Set();
  #timers;
  #next = 0;

  /**
   * @param {import("../../../js/src/index.ts").SeawallClient} client
   * @param {{ readsPerSecond: number, writesPerSecond: number }} rates
   */
  constructor(client, { readsPerSecond, writesPerSecond }) {
    this.#client = client;
    this.#timers = [this.#every(readsPerSecond, "read"), this.#every(writesPerSecond, "write")];
  }

  /** Begins no more, and waits for those that run. */
  async stop() {
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all(this.#running);
    return this.calls;
  }

  /** As many as are due: a timer that is late begins several. @param {number} perSecond @param {Call["kind"]} kind */
  #every(perSecond, kind) {
    const beganAt = Date.now();
    let begun = 0;
    return setInterval(() => {
      for (const due = ((Date.now() - beganAt) * perSecond) / 1_000; begun < due; begun += 1) this.#begin(kind);
    }, 5);
  }

  /** @param {Call["kind"]} kind */
  #begin(kind) {
    const running = this.#call(kind).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** @param {Call["kind"]} kind */
  async #call(kind) {
    this.#next += 1;
    const id = `${kind}-${this.#next}`;
    const beganAt = Date.now();
    const clock = performance.now();
    /** @param {Call["ending"]} ending @param {string} code */
    const end = (ending, code) => {
      this.calls.push({ kind, id, beganAt, tookMs: performance.now() - clock, ending, code });
    };
    try {
      if (kind === "write") await this.#client.execute("INSERT INTO writes (id) VALUES (?)", [id]);
      else if ((await this.#client.execute(READ)).rows[0]?.name !== "two") return end("error", "WRONG_ROW");
      end("acknowledged", "");
    } catch (error) {
      const { outcome, code } = /** @type {{ outcome?: string, code?: string }} */ (error);
      const ending = outcome === "not_executed" ? "refused" : outcome === "unknown" ? "unknown" : "error";
      end(ending, code ?? String(error));
    }
  }
}

/**
 * What the callers were told, held against what the database has.
 *
 * @param {readonly Call[]} calls
 * @param {ReadonlyMap<string, number>} written
 */
export function heldAgainst(calls, written) {
  const writes = calls.filter(({ kind }) => kind === "write");
  const times = (/** @type {Call} */ { id }) => written.get(id) ?? 0;
  return {
    acknowledged: writes.filter(({ ending }) => ending === "acknowledged").length,
    refused: writes.filter(({ ending }) => ending === "refused").length,
    unknown: writes.filter(({ ending }) => ending === "unknown").length,
    lost: writes.filter((call) => call.ending === "acknowledged" && times(call) === 0).map(({ id }) => id),
    doubled: writes.filter((call) => times(call) > 1).map(({ id }) => id),
    denied: writes.filter((call) => call.ending === "refused" && times(call) > 0).map(({ id }) => id),
    untold: writes.filter(({ ending }) => ending === "error").map(({ id, code }) => `${id} ${code}`),
  };
}

/** The value below which a share of the numbers lies; 0 without numbers. @param {number[]} numbers @param {number} share */
export function percentile(numbers, share) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? 0;
}
