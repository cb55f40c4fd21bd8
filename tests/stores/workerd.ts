// A Worker in workerd that serves the stores of its platform over HTTP.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Miniflare } from "miniflare";
import { bundleWorker, COMPATIBILITY_DATE, COMPATIBILITY_FLAGS } from "../support/workerd.mjs";

/** Starts it, with a namespace of Workers KV. */
export async function startStores(): Promise<Miniflare> {
  const modules = await bundleWorker(join(import.meta.dirname, "worker.ts"));
  return new Miniflare({
    cf: false,
    host: "127.0.0.1",
    compatibilityDate: COMPATIBILITY_DATE,
    modulesRoot: "/",
    modules: modules.map((module) => ({ ...module, path: `/${module.path}` })),
    kvNamespaces: { HINTS: "hints" },
  });
}

/** Starts the deployable Worker with its Durable Object, and a Worker that is bound to that; `folder` keeps its texts. */
export async function startStrongStores(folder: string): Promise<Miniflare> {
  const [stores, seawall] = [await bundleWorker(join(import.meta.dirname, "strong-worker.ts")), deployable()];
  const className = "SeawallStore";
  const worker = (modules: typeof stores) => ({
    compatibilityDate: COMPATIBILITY_DATE,
    compatibilityFlags: COMPATIBILITY_FLAGS,
    modulesRoot: "/",
    modules: modules.map((module) => ({ ...module, path: `/${module.path}` })),
  });
  return new Miniflare({
    cf: false,
    host: "127.0.0.1",
    durableObjectsPersist: folder,
    workers: [
      {
        name: "stores",
        ...worker(stores),
        durableObjects: { SEAWALL_STORE: { className, scriptName: "seawall", useSQLite: true } },
      },
      { name: "seawall", ...worker(seawall), durableObjects: { SEAWALL_STORE: { className, useSQLite: true } } },
    ],
  });
}

/** What `npm run build worker` has made. */
function deployable(): Awaited<ReturnType<typeof bundleWorker>> {
  const built = (name: string) => join(import.meta.dirname, "../../build", name);
  return [
    { type: "ESModule", path: "index.js", contents: readFileSync(built("index.js"), "utf8") },
    { type: "CompiledWasm", path: "index_bg.wasm", contents: new Uint8Array(readFileSync(built("index_bg.wasm"))) },
  ];
}
