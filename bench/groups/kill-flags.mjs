// The same as kill.mjs for isolates that have flags and no monitor, as few have one. They are asked for flags, or, where flags are
// in the database itself, send it queries.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { startRig } from "../../tests/support/rig.mjs";
import { bundleWorker } from "../../tests/support/workerd.mjs";

/** @import { Pair, Write } from "./kill.mjs" */

/**
 * Reads by way of a store. @param {any} store @param {Write} write @param {() => Promise<unknown>} stop @returns {Promise<Pair>}
 */
export async function flagsOn(store, write, stop) {
  const { createFlags } = await import("../../js/dist/flags/index.js");
  const flags = createFlags({ store, env: {} });
  await flags.ready();
  return {
    write,
    async read() {
      flags.for({});
      // What was begun in the background may end.
      await new Promise((resolve) => setImmediate(resolve));
      return told(flags);
    },
    async stop() {
      flags.close();
      await stop();
    },
  };
}

/** Sends queries, which bring a kill along. @param {string} url @param {Write} write @returns {Promise<Pair>} */
export async function flagsInDatabase(url, write) {
  const [{ createClient }, { createFlags }] = [
    await import("../../js/dist/index.js"),
    await import("../../js/dist/flags/index.js"),
  ];
  const database = createClient({ url });
  const flags = createFlags({ database, env: {} });
  await flags.ready();
  return {
    write,
    async read() {
      await database.execute("SELECT 1");
      return told(flags);
    },
    async stop() {
      database.close();
    },
  };
}

/** @param {any} flags */
function told(flags) {
  return Response.json({ orders: { kill: { version: flags.following.versions.kill } } });
}

/** A Worker of somebody else's beside the deployable one, whose Durable Object or KV it reads. @param {string} token @param {"durable-object" | "kv"} reads @returns {Promise<Pair>} */
export async function flagsInWorkers(token, reads) {
  /** @param {string} name */
  const built = (name) => readFileSync(new URL(`../../build/${name}`, import.meta.url));
  /** @type {import("../../tests/support/workerd.mjs").Module[]} */
  const deployable = [
    { type: "ESModule", path: "index.js", contents: built("index.js").toString() },
    { type: "CompiledWasm", path: "index_bg.wasm", contents: new Uint8Array(built("index_bg.wasm")) },
  ];
  const modules = await bundleWorker(fileURLToPath(new URL("../workers/flags.mjs", import.meta.url)));
  const own = { className: "SeawallStore", useSQLite: true };
  const kvNamespaces = { SEAWALL_KV: "orders" };
  const rig = await startRig((url) => ({
    writer: {
      modules: deployable,
      bindings: { TURSO_DATABASE_URL: url, SEAWALL_ADMIN_TOKEN: token },
      kvNamespaces,
      durableObjects: { SEAWALL_STORE: own },
    },
    reader: {
      modules,
      bindings: { READS: reads },
      kvNamespaces,
      durableObjects: { SEAWALL_STORE: { ...own, scriptName: "writer" } },
    },
  }));
  return { write: (path, init) => rig.ask("writer", path, init), read: () => rig.ask("reader"), stop: rig.stop };
}
