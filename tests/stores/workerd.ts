// A Worker in workerd that serves the stores of its platform over HTTP.
import { join } from "node:path";
import { Miniflare } from "miniflare";
import { bundleWorker, COMPATIBILITY_DATE } from "../support/workerd.mjs";

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
