// Two hosts that send alerts, side by side: the deployable Worker in workerd, and the package's monitor in Node. Of each
// there are two isolates with one strong store, and everything that they send arrives at tests/support/outside.mjs.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createClient } from "seawall";
import { type AlertSink, type AlertsOptions, createMonitor, type StrongStore } from "seawall/monitor";
import { strongMemoryStore } from "../../js/src/store/memory.ts";
import { type FaultProxy, startFaultProxy } from "../support/fault-proxy.mjs";
import { type Outside, startOutside } from "../support/outside.mjs";
import { startSqld } from "../support/sqld.mjs";
import type { Module } from "../support/workerd.mjs";
import type { Answered, Asked } from "./hosts.ts";
import { startRig, type TestWorker } from "./rig.ts";

const built = (name: string) => fileURLToPath(new URL(`../../build/${name}`, import.meta.url));
export const workerModules = (): Module[] => [
  { type: "ESModule", path: "index.js", contents: readFileSync(built("index.js"), "utf8") },
  { type: "CompiledWasm", path: "index_bg.wasm", contents: new Uint8Array(readFileSync(built("index_bg.wasm"))) },
];

export const TOKEN = "an-admin-token-of-these-tests-that-nobody-guesses";
export const SIGNING = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"];
export const SLACK = "https://hooks.slack.com/services/T000/B000/hidden-part-of-slack";
export const DISCORD = "https://discord.com/api/webhooks/1/hidden-part-of-discord";
export const OWN = "https://alerts.example.com/hidden-part-of-own?key=hidden-query";
/** What no answer and no log may show. */
export const SECRETS = [TOKEN, ...SIGNING, "hidden-part", "hidden-query", "hidden-authorization"];
/** Where both keep their alerts. */
export const KEY = "alerts/state";

const SINKS: AlertSink[] = [
  { name: "own", url: OWN, secrets: SIGNING, authorization: "Bearer hidden-authorization" },
  { name: "discord", url: DISCORD },
];
/** Nothing but the circuit is worth an alert. */
export const ALERTS: AlertsOptions = {
  webhookUrl: SLACK,
  sinks: SINKS,
  thresholds: { healthScore: 0, errorRate: 100, poolUtilization: 100, queryTime: 86_400_000, connectionTimeouts: 0 },
  rules: [],
  timeoutMs: 500,
};
const FAILURES_MAX = 2;
const RECOVERY_MS = 300;

/** A host of alerts. `ask` asks one isolate of it, `other` another one with the same store. */
export interface Site {
  readonly name: "Worker" | "Node";
  readonly proxy: FaultProxy;
  readonly outside: Outside;
  readonly store: Pick<StrongStore, "read" | "swap">;
  ask(asked: Asked): Promise<Answered>;
  other(asked: Asked): Promise<Answered>;
  /** Ends the isolates and begins them anew; the store stays. */
  restart(): Promise<void>;
  log(): string;
  stop(): Promise<void>;
}

async function answered(response: Response): Promise<Answered> {
  const headers = Object.fromEntries(response.headers);
  return { status: response.status, headers, body: await response.text() };
}

/** Isolates tell each other so often what they have counted. */
const STATS_INTERVAL_MS = 1_000;

/** Starts the Worker as `first` and `second`, and whatever else `more` gives: a part of its bindings, by name. */
export async function startWorkerSite(
  more: Record<string, Record<string, unknown>> = {},
): Promise<Site & { at(worker: string, asked: Asked): Promise<Answered>; url(): Promise<URL> }> {
  const outside = await startOutside();
  const modules = workerModules();
  const rig = await startRig(
    (url) => {
      const shared = {
        TURSO_DATABASE_URL: url,
        SEAWALL_ADMIN_TOKEN: TOKEN,
        CB_FAILURE_THRESHOLD: String(FAILURES_MAX),
        CB_RECOVERY_TIMEOUT: String(RECOVERY_MS),
        DB_HEALTH_CHECK_INTERVAL: "1000",
        METRICS_STATS_INTERVAL_MS: String(STATS_INTERVAL_MS),
        SEAWALL_ALERTS: JSON.stringify(ALERTS),
      };
      const worker = (bindings: Record<string, unknown>, scriptName?: string): TestWorker => ({
        modules,
        bindings: { ...shared, ...bindings },
        durableObjects: {
          SEAWALL_STORE: { className: "SeawallStore", useSQLite: true, ...(scriptName && { scriptName }) },
        },
      });
      const others = Object.entries(more).map(([name, bindings]) => [name, worker(bindings, "first")]);
      return { first: worker({}), second: worker({}, "first"), ...Object.fromEntries(others) };
    },
    { outside },
  );
  const told = async (ask: object) => {
    const namespace = await rig.miniflare.getDurableObjectNamespace("SEAWALL_STORE", "first");
    const stub = namespace.get(namespace.idFromName("seawall"));
    const response = await stub.fetch("https://seawall.invalid/", { method: "POST", body: JSON.stringify(ask) });
    return (await response.json()) as { text?: string | null; swapped?: boolean; failed?: string };
  };
  const at = async (worker: string, { path, ...init }: Asked) => answered(await rig.ask(worker, path, init));
  return {
    name: "Worker",
    proxy: rig.proxy,
    outside,
    store: {
      read: async (key) => (await told({ ask: "read", key })).text ?? null,
      async swap(changes) {
        const { swapped, failed } = await told({ ask: "swap", changes });
        if (swapped === undefined) throw new Error(failed);
        return swapped;
      },
    },
    ask: (asked) => at("first", asked),
    other: (asked) => at("second", asked),
    at,
    url: () => rig.miniflare.unsafeGetDirectURL("first"),
    restart: rig.restart,
    log: rig.log,
    async stop() {
      await rig.stop();
      await outside.stop();
    },
  };
}

/** Starts two monitors in this process, whose `fetch` is replaced until `stop`. */
export async function startNodeSite(): Promise<Site> {
  const [outside, sqld] = await Promise.all([startOutside(), startSqld()]);
  const proxy = await startFaultProxy(sqld.url);
  const real = globalThis.fetch;
  globalThis.fetch = outside.fetchOver(real);
  const store = strongMemoryStore();
  const isolate = () => {
    const circuitBreaker = { failureThreshold: FAILURES_MAX, recoveryTimeout: RECOVERY_MS };
    const primary = createClient({ url: proxy.url, seawall: { circuitBreaker } });
    const metrics = { statsIntervalMs: STATS_INTERVAL_MS };
    const monitor = createMonitor({ databases: { primary }, adminToken: TOKEN, alerts: ALERTS, metrics, store });
    return {
      async ask({ path, ...init }: Asked) {
        return answered(await monitor.handle(new Request(`http://127.0.0.1${path}`, init)));
      },
      close() {
        monitor.close();
        primary.close();
      },
    };
  };
  let isolates = [isolate(), isolate()] as const;
  const close = () => {
    for (const { close } of isolates) close();
  };
  return {
    name: "Node",
    proxy,
    outside,
    store,
    ask: (asked) => isolates[0].ask(asked),
    other: (asked) => isolates[1].ask(asked),
    async restart() {
      close();
      isolates = [isolate(), isolate()];
    },
    log: () => "",
    async stop() {
      close();
      globalThis.fetch = real;
      await proxy.close();
      await sqld.stop();
      await outside.stop();
    },
  };
}
