// @ts-nocheck: it runs in workerd, whose types are not those of Node.
// The demo's front door: one address for all isolates, and a new isolate whenever one is asked for.
import { WorkerEntrypoint } from "cloudflare:workers";
import CORE from "./core.bin";
import EXAMPLE from "./example.txt";

/** A KV binding cannot be given to an isolate that is made while running; this passes its calls on. */
export class Hints extends WorkerEntrypoint {
  get(key, options) {
    return this.env.SEAWALL_KV.get(key, options);
  }

  put(key, text, options) {
    return this.env.SEAWALL_KV.put(key, text, options);
  }
}

/** The isolate of this name: made now, if it is not there. Isolate `a` was there from the start. */
function isolate(name, env, ctx) {
  if (name === "a") return env.FIRST;
  const made = env.LOADER.get(name, () => ({
    compatibilityDate: env.COMPATIBILITY_DATE,
    mainModule: "worker.js",
    modules: { "worker.js": { js: EXAMPLE }, "core.wasm": { wasm: CORE } },
    env: { ...env.SETTINGS, SEAWALL_KV: ctx.exports.Hints({ props: {} }) },
  }));
  return made.getEntrypoint();
}

export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    if (url.pathname.startsWith("/api/health")) return env.HEALTH.fetch(request);
    const [, name, path] = url.pathname.match(/^\/([a-z])(\/.*)$/) ?? [];
    if (name === undefined) return new Response("Ask an isolate: /a/, /a/tx, /a/state\n", { status: 404 });
    return isolate(name, env, ctx).fetch(new Request(new URL(path + url.search, url), request));
  },
};
