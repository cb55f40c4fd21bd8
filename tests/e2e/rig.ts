// Workers in workerd, a real libSQL server, and a proxy between them that breaks on demand.
import type { Readable } from "node:stream";
import { Miniflare, type WorkerOptions } from "miniflare";
import { type FaultProxy, startFaultProxy } from "../support/fault-proxy.mjs";
import { type Sqld, startSqld } from "../support/sqld.mjs";
import { COMPATIBILITY_DATE, type Module } from "../support/workerd.mjs";

/** A Worker for {@link startRig}. */
export interface TestWorker {
  modules: Module[];
  bindings?: Record<string, unknown>;
  /** Binding name to namespace; the same namespace is the same store. */
  kvNamespaces?: Record<string, string>;
  /** Binding name to another Worker's name. */
  serviceBindings?: Record<string, string>;
}

/** What a test plays with. */
export interface Rig {
  readonly sqld: Sqld;
  readonly proxy: FaultProxy;
  readonly miniflare: Miniflare;
  /** Everything that workerd has written to its standard error. */
  readonly log: () => string;
  /** Asks a Worker. */
  ask(worker: string, path?: string, init?: RequestInit): Promise<Response>;
  stop(): Promise<void>;
}

/**
 * Starts everything.
 *
 * @param workersFor The Workers by name, given the address at which they find the database.
 */
export async function startRig(workersFor: (databaseUrl: string) => Record<string, TestWorker>): Promise<Rig> {
  const sqld = await startSqld();
  const proxy = await startFaultProxy(sqld.url);
  let log = "";
  const workers = Object.entries(workersFor(proxy.url)).map(
    ([name, { modules, bindings, kvNamespaces, serviceBindings }]): WorkerOptions => ({
      name,
      compatibilityDate: COMPATIBILITY_DATE,
      modulesRoot: "/",
      modules: modules.map((module) => ({ ...module, path: `/${module.path}` })),
      bindings: (bindings ?? {}) as NonNullable<WorkerOptions["bindings"]>,
      kvNamespaces: kvNamespaces ?? {},
      serviceBindings: serviceBindings ?? {},
      unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
    }),
  );
  const miniflare = new Miniflare({
    cf: false,
    host: "127.0.0.1",
    handleRuntimeStdio(stdout: Readable, stderr: Readable) {
      stdout.resume();
      stderr.on("data", (chunk: Buffer) => {
        log += chunk;
      });
    },
    workers,
  });
  const stop = async () => {
    await miniflare.dispose().catch(() => {});
    await proxy.close();
    await sqld.stop();
  };
  try {
    await miniflare.ready;
    const urls = new Map<string, URL>();
    for (const { name = "" } of workers) urls.set(name, await miniflare.unsafeGetDirectURL(name));
    return {
      sqld,
      proxy,
      miniflare,
      log: () => log,
      ask: (worker, path = "/", init) => fetch(new URL(path, urls.get(worker)), init),
      stop,
    };
  } catch (error) {
    await stop();
    throw new Error(`workerd did not start:\n${log}`, { cause: error });
  }
}

/** Resolves once `isTrue`; fails after `limitMs`. */
export async function until(what: string, isTrue: () => boolean | Promise<boolean>, limitMs = 10_000): Promise<void> {
  const limit = Date.now() + limitMs;
  while (!(await isTrue())) {
    if (Date.now() > limit) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
