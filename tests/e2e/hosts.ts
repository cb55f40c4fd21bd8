// The two hosts of the routes, side by side: the real Worker in workerd, and `handle(request)` of the package in Node. Each
// has a proxy of its own before one real server.
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse, request as send } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { createClient } from "seawall";
import { createMonitor, type Monitor } from "seawall/monitor";
import { type FaultProxy, startFaultProxy } from "../support/fault-proxy.mjs";
import { startRig } from "../support/rig.mjs";
import { bundleWorker, type Module } from "../support/workerd.mjs";
import { memoryVault, type Vault, workerVault } from "./vault.ts";

const built = (name: string) => fileURLToPath(new URL(`../../build/${name}`, import.meta.url));

/** Nobody may ever see it. */
export const SECRET = "token-that-nobody-may-see";
const FAILURES_MAX = 2;
const LEASES_MAX = 5;
const RECOVERY_MS = 300;

/** A request, sent as it is: no path is made regular on the way. */
export interface Asked {
  method?: string;
  path: string;
  headers?: Record<string, string>;
  body?: string;
}

export interface Answered {
  status: number;
  headers: Record<string, string>;
  body: string;
}

export interface Host {
  readonly name: "Worker" | "Node";
  readonly proxy: FaultProxy;
  readonly port: number;
  /** The strong store past the routes, where {@link startHosts} was asked for one. */
  readonly vault: Vault | undefined;
  /** Does what is done once a minute without a request. */
  tick(): Promise<unknown>;
  ask(asked: Asked): Promise<Answered>;
}

export interface Hosts {
  readonly all: readonly Host[];
  /** What the Workers wrote to their log. */
  log(): string;
  stop(): Promise<void>;
}

/**
 * Starts both. `variables` are further ones of the Worker, `options` further ones of the monitor; where that has a
 * `store`, the Worker has its Durable Object. With `isOpen` both have one that can be looked into, and that fails when told.
 */
export async function startHosts(
  variables: Record<string, string> = {},
  given: Partial<Parameters<typeof createMonitor>[0]> = {},
  { isOpen = false } = {},
): Promise<Hosts> {
  const memory = isOpen ? memoryVault() : undefined;
  const options = { ...given, ...(memory && { store: memory.store, cache: memory.cache }) };
  const own = { className: "SeawallStore", useSQLite: true };
  const between = { className: "FaultyStore", useSQLite: true };
  const behind = isOpen ? await bundleWorker(fileURLToPath(new URL("workers/vault.ts", import.meta.url))) : undefined;
  const modules: Module[] = [
    { type: "ESModule", path: "index.js", contents: readFileSync(built("index.js"), "utf8") },
    { type: "CompiledWasm", path: "index_bg.wasm", contents: new Uint8Array(readFileSync(built("index_bg.wasm"))) },
  ];
  const rig = await startRig((url) => ({
    first: {
      modules,
      bindings: {
        TURSO_DATABASE_URL: url,
        TURSO_AUTH_TOKEN: SECRET,
        DB_MAX_CONNECTIONS: String(LEASES_MAX),
        CB_FAILURE_THRESHOLD: String(FAILURES_MAX),
        CB_RECOVERY_TIMEOUT: String(RECOVERY_MS),
        ...variables,
      },
      ...(isOpen
        ? { serviceBindings: { SEAWALL_KV: { name: "vault", entrypoint: "Kv" } } }
        : { kvNamespaces: { SEAWALL_KV: "hints" } }),
      ...(options.store && {
        durableObjects: { SEAWALL_STORE: isOpen ? { ...between, scriptName: "vault" } : own },
      }),
    },
    ...(behind && {
      vault: { modules: behind, durableObjects: { REAL: { ...own, scriptName: "first" }, FAULTY: between } },
    }),
  }));
  const url = await rig.miniflare.unsafeGetDirectURL("first");
  const proxy = await startFaultProxy(rig.sqld.url);
  const primary = createClient({
    url: proxy.url,
    authToken: SECRET,
    seawall: {
      connectionPool: { maxConnections: LEASES_MAX },
      circuitBreaker: {
        failureThreshold: FAILURES_MAX,
        recoveryTimeout: Number(variables.CB_RECOVERY_TIMEOUT ?? RECOVERY_MS),
      },
    },
  });
  const monitor = createMonitor({ databases: { primary }, ...options });
  const server = createServer((incoming, outgoing) => {
    // Who leaves in the middle of a request gets no answer.
    answered(monitor, incoming, outgoing).catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    all: [
      {
        name: "Worker",
        proxy: rig.proxy,
        port: Number(url.port),
        vault: isOpen ? workerVault(await rig.miniflare.unsafeGetDirectURL("vault")) : undefined,
        tick: async () => (await rig.miniflare.getWorker("first")).scheduled({ cron: "* * * * *" }),
        ask: (asked) => sent(Number(url.port), asked),
      },
      {
        name: "Node",
        proxy,
        port,
        vault: memory?.vault,
        tick: () => monitor.tick(),
        ask: (asked) => sent(port, asked),
      },
    ],
    log: rig.log,
    async stop() {
      monitor.close();
      primary.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await proxy.close();
      await rig.stop();
    },
  };
}

/** What a server of Node does to serve a handler of `Request`. */
async function answered(monitor: Monitor, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const headers = Object.entries(incoming.headers).map(([name, value]) => [name, String(value)] as [string, string]);
  const { method = "GET", url = "/" } = incoming;
  const hasBody = method !== "GET" && method !== "HEAD" && chunks.length > 0;
  const request = new Request(`http://127.0.0.1${url}`, {
    method,
    headers,
    ...(hasBody && { body: Buffer.concat(chunks) }),
  });
  const response = await monitor.handle(request);
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  outgoing.end(Buffer.from(await response.arrayBuffer()));
}

function sent(port: number, { method = "GET", path, headers = {}, body }: Asked): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const request = send({ host: "127.0.0.1", port, method, path, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => {
        const headers = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
        resolve({ status: response.statusCode ?? 0, headers: Object.fromEntries(headers), body: text });
      });
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}
