// A Worker in workerd that serves the stores of its platform over HTTP.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Miniflare } from "miniflare";
import { bundleWorker, COMPATIBILITY_DATE, COMPATIBILITY_FLAGS } from "../support/workerd.mjs";
import type { Place } from "./operators.ts";
import { strongStoreAt } from "./over-http.ts";

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
export async function startStrongStores(folder: string, bindings: Record<string, string> = {}): Promise<Miniflare> {
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
      {
        name: "seawall",
        ...worker(seawall),
        bindings,
        durableObjects: { SEAWALL_STORE: { className, useSQLite: true } },
        unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
      },
    ],
  });
}

/** Starts the deployable Worker for two operators, and what looks into its Durable Object; `folder` keeps what is in there. */
export async function startWorkerOfOperators(folder: string, token: string): Promise<Place> {
  const before = new Set(await workerdProcesses());
  const miniflare = await startStrongStores(folder, {
    SEAWALL_ADMIN_TOKEN: token,
    SEAWALL_ADMIN_WRITES_PER_MINUTE: "100000",
    SEAWALL_ADMIN_KILLS_PER_MINUTE: "100000",
    PRODUCTION_MIGRATION_APPROVED: "true",
  });
  const store = strongStoreAt(await miniflare.ready, "durable-object");
  const url = await miniflare.unsafeGetDirectURL("seawall");
  const own = (await workerdProcesses()).filter((pid) => !before.has(pid));
  if (own.length === 0) throw new Error("workerd is no process of this one: it cannot be killed");
  return {
    async ask(_, { path, ...asked }) {
      const response = await fetch(new URL(path, url), asked);
      const { status, headers } = response;
      return { status, headers: Object.fromEntries(headers), body: await response.text() };
    },
    read: (key) => store.read(key),
    async kill() {
      for (const pid of own) process.kill(pid, "SIGKILL");
    },
    stop: () => miniflare.dispose(),
  };
}

/** The workerd processes that this one has started. */
async function workerdProcesses(): Promise<number[]> {
  const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "pid=,ppid=,comm="]);
  const found = stdout.split("\n").map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line));
  return found.flatMap((line) =>
    Number(line?.[2]) === process.pid && line?.[3]?.includes("workerd") ? [Number(line[1])] : [],
  );
}

/** What `npm run build worker` has made. */
function deployable(): Awaited<ReturnType<typeof bundleWorker>> {
  const built = (name: string) => join(import.meta.dirname, "../../build", name);
  return [
    { type: "ESModule", path: "index.js", contents: readFileSync(built("index.js"), "utf8") },
    { type: "CompiledWasm", path: "index_bg.wasm", contents: new Uint8Array(readFileSync(built("index_bg.wasm"))) },
  ];
}
