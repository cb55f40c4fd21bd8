// What the demo plays with: a real libSQL server, a proxy that breaks it on demand, and real Workers in workerd.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Miniflare } from "miniflare";
import { startFaultProxy } from "../../tests/support/fault-proxy.mjs";
import { startSqld } from "../../tests/support/sqld.mjs";
import { bundleWorker, COMPATIBILITY_DATE } from "../../tests/support/workerd.mjs";
import { ROOT } from "../toolchain.mjs";

/** @typedef {"kill" | "slow" | "503"} Break */

/** Ways to break the database. */
export const BREAKS = /** @type {const} */ (["kill", "slow", "503"]);
/** How long a circuit stays open here, so that one need not wait for the default of 30 s. */
export const RECOVERY_MS = 2_000;
const QUERY_MS = 1_000;
const SLOW_MS = 3_000;
const LOG_CHARACTERS = 4_000;

/** Settings of every isolate; what is not named has its default. */
export const SETTINGS = {
  circuitBreaker: { recoveryTimeout: RECOVERY_MS },
  timeouts: { query: QUERY_MS },
  retry: { attempts: 2, initialDelay: 50 },
  state: { coldReadTimeout: 500, writeJitter: 100 },
};

/** Starts everything and loads the data. @returns {Promise<World>} */
export async function startWorld() {
  const world = new World();
  try {
    await world.start();
    return world;
  } catch (error) {
    await world.stop();
    throw error;
  }
}

export class World {
  /** Address of the front door. */
  url = "";
  /** @type {Break | undefined} */
  broken;
  /** @type {import("../../tests/support/sqld.mjs").Sqld | undefined} */
  #sqld;
  /** @type {import("../../tests/support/fault-proxy.mjs").FaultProxy | undefined} */
  #proxy;
  /** @type {Miniflare | undefined} */
  #miniflare;
  #log = "";

  async start() {
    this.#sqld = await startSqld();
    this.#proxy = await startFaultProxy(this.#sqld.url);
    await this.#load();
    this.#miniflare = new Miniflare({
      cf: false,
      host: "127.0.0.1",
      workers: await this.#workers(),
      handleRuntimeStdio: (/** @type {import("node:stream").Readable[]} */ ...outputs) => {
        for (const output of outputs) {
          output.on("data", (chunk) => {
            this.#log = (this.#log + chunk).slice(-LOG_CHARACTERS);
          });
        }
      },
    });
    try {
      this.url = (await this.#miniflare.ready).origin;
    } catch (error) {
      throw new Error(`workerd did not start:\n${this.#log}`, { cause: error });
    }
  }

  /** Ends everything that `start` started. */
  async stop() {
    const [miniflare, proxy, sqld] = [this.#miniflare, this.#proxy, this.#sqld];
    this.#miniflare = this.#proxy = this.#sqld = undefined;
    await miniflare?.dispose().catch(() => {});
    await proxy?.close();
    await sqld?.stop();
  }

  /** Requests that have come as far as the database's door, whether it was open or not. */
  get requests() {
    return this.#proxy?.requests ?? 0;
  }

  /** Asks an isolate; one that is not there is made. @param {string} isolate @param {string} [path] */
  ask(isolate, path = "/") {
    return fetch(`${this.url}/${isolate}${path}`);
  }

  /** @param {string} isolate @returns {Promise<import("seawall").Status>} */
  async state(isolate) {
    return /** @type {import("seawall").Status} */ (await (await this.ask(isolate, "/state")).json());
  }

  /** Whether isolates have left a hint in KV. */
  async hasHint() {
    const kv = await this.#miniflare?.getKVNamespace("SEAWALL_KV", "front");
    return kv !== undefined && (await kv.list()).keys.length > 0;
  }

  /** @param {Break} how */
  async break(how) {
    await this.mend();
    this.broken = how;
    if (how === "kill") await this.#sqld?.kill();
    else await this.#proxy?.set(how === "slow" ? { kind: "slow", ms: SLOW_MS } : { kind: "status", status: 503 });
  }

  async mend() {
    this.broken = undefined;
    await this.#proxy?.set({ kind: "pass" });
    await this.#sqld?.start();
  }

  async #load() {
    const { createClient } = await import("seawall");
    const client = createClient({ url: this.#sqld?.url ?? "" });
    await client.executeMultiple(readFileSync(join(ROOT, "examples/workers/schema.sql"), "utf8"));
    client.close();
  }

  async #workers() {
    const [example, core] = await bundleWorker(join(ROOT, "examples/workers/src/worker.ts"));
    if (example === undefined || core === undefined) throw new Error("the example Worker did not bundle");
    const settings = { TURSO_DATABASE_URL: this.#proxy?.url ?? "", SEAWALL: SETTINGS };
    const kvNamespaces = { SEAWALL_KV: "hints" };
    const every = { compatibilityDate: COMPATIBILITY_DATE, modulesRoot: "/", kvNamespaces };
    return [
      {
        ...every,
        name: "front",
        modules: [
          module("ESModule", "front.js", readFileSync(join(import.meta.dirname, "front.js"), "utf8")),
          module("Text", "example.txt", example.contents),
          module("Data", "core.bin", core.contents),
        ],
        workerLoaders: { LOADER: {} },
        serviceBindings: { FIRST: "a", HEALTH: "health" },
        bindings: { SETTINGS: settings, COMPATIBILITY_DATE },
      },
      {
        ...every,
        name: "a",
        modules: [module("ESModule", "worker.js", example.contents), module("CompiledWasm", core.path, core.contents)],
        bindings: settings,
      },
      {
        ...every,
        name: "health",
        modules: [
          module("ESModule", "index.js", readFileSync(join(ROOT, "build/index.js"), "utf8")),
          module("CompiledWasm", "index_bg.wasm", new Uint8Array(readFileSync(join(ROOT, "build/index_bg.wasm")))),
        ],
        bindings: { TURSO_DATABASE_URL: settings.TURSO_DATABASE_URL, CB_RECOVERY_TIMEOUT: String(RECOVERY_MS) },
      },
    ];
  }
}

/**
 * @param {"ESModule" | "Text" | "Data" | "CompiledWasm"} type
 * @param {string} path
 * @param {string | Uint8Array<ArrayBuffer>} contents
 */
function module(type, path, contents) {
  return { type, path: `/${path}`, contents };
}
