// Workers in workerd, a real libSQL server, and a proxy between them that breaks on demand.
import { Miniflare } from "miniflare";
import { startFaultProxy } from "./fault-proxy.mjs";
import { startSqld } from "./sqld.mjs";
import { COMPATIBILITY_DATE, COMPATIBILITY_FLAGS } from "./workerd.mjs";

/**
 * A Worker for {@link startRig}. `kvNamespaces` maps a binding to a namespace, and the same namespace is the same store;
 * `serviceBindings` maps a binding to another Worker, by its name or one of its entrypoints; a Durable Object with a
 * `scriptName` is that other Worker's.
 *
 * @typedef {{
 *   modules: import("./workerd.mjs").Module[],
 *   bindings?: Record<string, unknown>,
 *   kvNamespaces?: Record<string, string>,
 *   serviceBindings?: Record<string, string | { name: string, entrypoint: string }>,
 *   durableObjects?: Record<string, { className: string, useSQLite: boolean, scriptName?: string }>,
 *   compatibilityFlags?: string[],
 * }} TestWorker
 *
 * What a test plays with. `log` is everything that workerd has written to its standard error; `ask` asks a Worker;
 * `restart` ends workerd and starts it anew, with what is stored.
 *
 * @typedef {{
 *   readonly sqld: import("./sqld.mjs").Sqld,
 *   readonly proxy: import("./fault-proxy.mjs").FaultProxy,
 *   readonly miniflare: Miniflare,
 *   readonly log: () => string,
 *   ask(worker: string, path?: string, init?: RequestInit): Promise<Response>,
 *   restart(): Promise<void>,
 *   stop(): Promise<void>,
 * }} Rig
 */

/**
 * Starts everything.
 *
 * @param {(databaseUrl: string) => Record<string, TestWorker>} workersFor The Workers by name, given the address at
 *   which they find the database.
 * @param {{ isInspected?: boolean, outside?: import("./outside.mjs").Outside }} [options] `isInspected`: `Heaps` may
 *   look into the isolates; `outside`: all that the Workers fetch goes there.
 * @returns {Promise<Rig>}
 */
export async function startRig(workersFor, { isInspected = false, outside } = {}) {
  const sqld = await startSqld();
  const proxy = await startFaultProxy(sqld.url);
  if (outside) outside.database = proxy.url;
  let log = "";
  const workers = Object.entries(workersFor(proxy.url)).map(
    ([name, { modules, bindings, kvNamespaces, serviceBindings, durableObjects, compatibilityFlags }]) => ({
      name,
      compatibilityDate: COMPATIBILITY_DATE,
      compatibilityFlags: compatibilityFlags ?? COMPATIBILITY_FLAGS,
      modulesRoot: "/",
      modules: modules.map((module) => ({ ...module, path: `/${module.path}` })),
      bindings: /** @type {NonNullable<import("miniflare").WorkerOptions["bindings"]>} */ (bindings ?? {}),
      kvNamespaces: kvNamespaces ?? {},
      serviceBindings: serviceBindings ?? {},
      durableObjects: durableObjects ?? {},
      unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
      ...(outside && { outboundService: outside.service }),
    }),
  );
  /** @type {import("miniflare").MiniflareOptions} */
  const options = {
    cf: false,
    host: "127.0.0.1",
    ...(isInspected && { inspectorPort: 0 }),
    handleRuntimeStdio: (
      /** @type {import("node:stream").Readable} */ stdout,
      /** @type {import("node:stream").Readable} */ stderr,
    ) => {
      stdout.resume();
      stderr.on("data", (chunk) => {
        log += chunk;
      });
    },
    workers,
  };
  const miniflare = new Miniflare(options);
  const stop = async () => {
    await miniflare.dispose().catch(() => {});
    await proxy.close();
    await sqld.stop();
  };
  try {
    await miniflare.ready;
    /** @type {Map<string, URL>} */
    const urls = new Map();
    const find = async () => {
      for (const { name } of workers) urls.set(name, await miniflare.unsafeGetDirectURL(name));
    };
    await find();
    return {
      sqld,
      proxy,
      miniflare,
      log: () => log,
      ask: (worker, path = "/", init) => fetch(new URL(path, urls.get(worker)), init),
      async restart() {
        await miniflare.setOptions(options);
        await find();
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw new Error(`workerd did not start:\n${log}`, { cause: error });
  }
}

/**
 * Resolves once `isTrue`; fails after `limitMs`.
 *
 * @param {string} what
 * @param {() => boolean | Promise<boolean>} isTrue
 * @param {number} [limitMs]
 * @returns {Promise<void>}
 */
export async function until(what, isTrue, limitMs = 10_000) {
  const limit = Date.now() + limitMs;
  while (!(await isTrue())) {
    if (Date.now() > limit) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
