// Isolates that share one KV namespace and one real database, which breaks on demand.
import { join } from "node:path";
import { startRig } from "../rig.mjs";
import { bundleWorker } from "../workerd.mjs";

const ROOT = join(import.meta.dirname, "../../..");
const WORKERS = join(ROOT, "tests/e2e/workers");

/** How long a circuit stays open at first, in milliseconds. */
export const RECOVERY_MS = 2_000;
/** Failures that open the circuit of one isolate. */
export const FAILURES_MAX = 5;
/** Requests that one isolate has in flight at most. */
export const CONNECTIONS_MAX = 3;
/** Probes that one isolate may have in flight while half-open. */
export const PROBES_MAX = 1;
/** Deadline of one statement, in milliseconds. */
export const DEADLINE_MS = 1_000;

/** Settings of each isolate of the package; what is not named has its default. */
export const OPTIONS = {
  circuitBreaker: { failureThreshold: FAILURES_MAX, recoveryTimeout: RECOVERY_MS, halfOpenMaxCalls: PROBES_MAX },
  connectionPool: { maxConnections: CONNECTIONS_MAX, acquireTimeout: DEADLINE_MS },
  timeouts: { query: DEADLINE_MS, batchInsert: DEADLINE_MS, transaction: 2 * DEADLINE_MS },
  retry: { attempts: 3, initialDelay: 100 },
};

/** The same for the deployable Worker, as it takes them. */
const VARIABLES = {
  CB_FAILURE_THRESHOLD: String(FAILURES_MAX),
  CB_RECOVERY_TIMEOUT: String(RECOVERY_MS),
  DB_MAX_CONNECTIONS: String(CONNECTIONS_MAX),
};

/** @typedef {"seawall" | "@libsql/client/web" | "fetch"} Subject `fetch` is no client at all. */

/**
 * What a fleet is. `isolates` are those with a client, `watcher` is the deployable Worker, if there is one.
 *
 * @typedef {{
 *   readonly rig: import("../rig.mjs").Rig,
 *   readonly isolates: readonly string[],
 *   readonly watcher: string | undefined,
 *   readonly all: readonly string[],
 * }} Fleet
 *
 * What an isolate says of itself. Isolates of another client say less.
 *
 * @typedef {{
 *   store: { gets: number, puts: number },
 *   watched: { wasmBytes: number, handles: number, handlePlaces: number, rejections: number, lastRejection: string },
 *   breaker?: { state: string },
 *   pool?: { borrowed: number, pending: number, leaked: number },
 * }} IsolateState
 */

/**
 * Starts isolates `a`, `b`, …, and with Seawall the deployable Worker beside them; before each stands a gate.
 *
 * @param {{ subject: Subject, size: number, staleMs?: number, isInspected?: boolean }} options At most 26 isolates; with
 *   `staleMs`, what an isolate reads of KV may be so old; with `isInspected`, `Heaps` may look into them.
 * @returns {Promise<Fleet>}
 */
export async function startFleet({ subject, size, staleMs = 0, isInspected = false }) {
  const isOurs = subject === "seawall";
  const built = join(ROOT, "build/index.js");
  const [load, watcher, gate] = await Promise.all([
    subject === "fetch"
      ? bundleWorker(join(WORKERS, "bare.ts"))
      : bundleWorker(join(WORKERS, "load.ts"), { alias: { "client-under-test": subject } }),
    bundleWorker(join(WORKERS, "watched-worker.ts"), { alias: { "worker-under-test": built } }),
    bundleWorker(join(WORKERS, "gate.ts")),
  ]);
  const isolates = Array.from({ length: size }, (_, index) => String.fromCharCode("a".charCodeAt(0) + index));
  const all = isOurs ? [...isolates, "watcher"] : isolates;
  const rig = await startRig(
    (url) => {
      /** @type {Record<string, import("../rig.mjs").TestWorker>} */
      const workers = {};
      for (const name of isolates) {
        workers[name] = {
          modules: load,
          bindings: { DATABASE_URL: url, OPTIONS, KV_STALE_MS: staleMs },
          kvNamespaces: { HINTS: "hints" },
        };
      }
      if (isOurs) {
        const bindings = { TURSO_DATABASE_URL: url, KV_STALE_MS: staleMs, ...VARIABLES };
        workers.watcher = { modules: watcher, bindings, kvNamespaces: { SEAWALL_KV: "hints" } };
      }
      for (const name of all) workers[gateOf(name)] = { modules: gate, serviceBindings: { BEHIND: name } };
      return workers;
    },
    { isInspected },
  );
  const fleet = { rig, isolates, watcher: all[size], all };
  try {
    await sql(fleet, "CREATE TABLE writes (id TEXT NOT NULL)");
    return fleet;
  } catch (error) {
    await rig.stop();
    throw error;
  }
}

/** The Worker through which callers ask who may leave: `?leaveMs=`. @param {string} isolate */
export const gateOf = (isolate) => `gate-${isolate}`;

/** @param {Fleet} fleet @param {string} isolate @returns {Promise<IsolateState>} */
export async function stateOf(fleet, isolate) {
  return /** @type {IsolateState} */ (await (await fleet.rig.ask(isolate, "/state")).json());
}

/**
 * Asks the server itself, past the proxy.
 *
 * @param {Fleet} fleet
 * @param {string} statement
 * @returns {Promise<unknown[][]>} Rows of values.
 */
export async function sql(fleet, statement) {
  const requests = [{ type: "execute", stmt: { sql: statement } }, { type: "close" }];
  const body = JSON.stringify({ requests });
  const response = await fetch(`${fleet.rig.sqld.url}/v2/pipeline`, { method: "POST", body });
  const { results } = /** @type {{ results: { response?: any, error?: { message: string } }[] }} */ (
    await response.json()
  );
  const [first] = results;
  if (first?.error || !first?.response) throw new Error(`${statement}: ${first?.error?.message}`);
  return first.response.result.rows.map((/** @type {{ value: unknown }[]} */ row) => row.map(({ value }) => value));
}
