// The two hosts of the admin routes, each configured in several ways, with the keys of Cloudflare Access outside of them: the
// deployable Worker in workerd, and the package's monitor in Node.
import { createClient } from "seawall";
import { type AdminOptions, createMonitor, type StrongStore } from "seawall/monitor";
import { strongMemoryStore } from "../../js/src/store/memory.ts";
import { type Outside, startOutside } from "../support/outside.mjs";
import { startSqld } from "../support/sqld.mjs";
import { workerModules } from "./alert-sites.ts";
import type { Answered, Asked } from "./hosts.ts";
import { startRig, type TestWorker } from "./rig.ts";

export const TOKEN = "an-admin-token-of-these-tests-that-nobody-guesses";
export const TEAM = "acme";
export const AUDIENCE = "aud-of-these-tests";
export const CERTS = `https://${TEAM}.cloudflareaccess.com/cdn-cgi/access/certs`;
export const ROLES = {
  emails: { "ada@example.com": "admin", "oscar@example.com": "operator", "eve@example.com": "viewer" },
} as const;

/** How a host is configured. All share one strong store, but for `shut`, which has one where nothing is. */
export const KINDS = ["open", "limited", "approved", "tokens", "shut"] as const;
export type Kind = (typeof KINDS)[number];

/** Two of the two hosts. */
export interface Site {
  readonly name: "Worker" | "Node";
  readonly outside: Outside;
  readonly store: Pick<StrongStore, "read" | "swap" | "list">;
  ask(asked: Asked, kind?: Kind): Promise<Answered>;
  /** The origin that the requests of a kind are sent to. */
  origin(kind?: Kind): string;
  stop(): Promise<void>;
}

const access = { teamDomain: TEAM, audience: AUDIENCE, roles: ROLES };
const MANY = 100_000;
/** Isolates tell each other so often what they have counted. */
const STATS_INTERVAL_MS = 1_000;
const OPTIONS: Record<Kind, { adminToken?: string; admin: AdminOptions }> = {
  open: { adminToken: TOKEN, admin: { access, failuresPerMinute: MANY, writesPerMinute: MANY, killsPerMinute: MANY } },
  limited: { adminToken: TOKEN, admin: { failuresPerMinute: 20 } },
  approved: { adminToken: TOKEN, admin: { migrationApproved: "true", failuresPerMinute: MANY } },
  tokens: { admin: { failuresPerMinute: MANY } },
  shut: { admin: {} },
};

async function answered(response: Response): Promise<Answered> {
  const headers = Object.fromEntries(response.headers);
  return { status: response.status, headers, body: await response.text() };
}

export async function startWorkerSite(): Promise<Site> {
  const outside = await startOutside();
  const modules = workerModules();
  const rig = await startRig(
    (url) => {
      const worker = (kind: Kind, scriptName?: string): TestWorker => {
        const { adminToken, admin } = OPTIONS[kind];
        const bindings = {
          TURSO_DATABASE_URL: url,
          METRICS_STATS_INTERVAL_MS: String(STATS_INTERVAL_MS),
          ...(adminToken && { SEAWALL_ADMIN_TOKEN: adminToken }),
          ...(admin.access && {
            CF_ACCESS_TEAM_DOMAIN: TEAM,
            CF_ACCESS_AUD: AUDIENCE,
            SEAWALL_ACCESS_ROLES: JSON.stringify(ROLES),
          }),
          ...(admin.failuresPerMinute && { SEAWALL_ADMIN_FAILURES_PER_MINUTE: String(admin.failuresPerMinute) }),
          ...(admin.writesPerMinute && { SEAWALL_ADMIN_WRITES_PER_MINUTE: String(admin.writesPerMinute) }),
          ...(admin.killsPerMinute && { SEAWALL_ADMIN_KILLS_PER_MINUTE: String(admin.killsPerMinute) }),
          ...(admin.migrationApproved && { PRODUCTION_MIGRATION_APPROVED: admin.migrationApproved }),
        };
        const object = { className: "SeawallStore", useSQLite: true, ...(scriptName && { scriptName }) };
        return { modules, bindings, durableObjects: { SEAWALL_STORE: object } };
      };
      const others = KINDS.map((kind) => [kind, worker(kind, kind === "open" || kind === "shut" ? undefined : "open")]);
      return Object.fromEntries(others);
    },
    { outside },
  );
  const origins = new Map<Kind, string>();
  for (const kind of KINDS) origins.set(kind, (await rig.miniflare.unsafeGetDirectURL(kind)).origin);
  const told = async (ask: object) => {
    const namespace = await rig.miniflare.getDurableObjectNamespace("SEAWALL_STORE", "open");
    const stub = namespace.get(namespace.idFromName("seawall"));
    const response = await stub.fetch("https://seawall.invalid/", { method: "POST", body: JSON.stringify(ask) });
    return (await response.json()) as { text?: string | null; swapped?: boolean; keys?: string[] };
  };
  return {
    name: "Worker",
    outside,
    store: {
      read: async (key) => (await told({ ask: "read", key })).text ?? null,
      swap: async (changes) => (await told({ ask: "swap", changes })).swapped ?? false,
      list: async (prefix) => (await told({ ask: "list", prefix })).keys ?? [],
    },
    ask: async ({ path, ...init }, kind = "open") => answered(await rig.ask(kind, path, init)),
    origin: (kind = "open") => origins.get(kind) ?? "",
    async stop() {
      await rig.stop();
      await outside.stop();
    },
  };
}

export async function startNodeSite(): Promise<Site> {
  const [outside, sqld] = await Promise.all([startOutside(), startSqld()]);
  const real = globalThis.fetch;
  globalThis.fetch = outside.fetchOver(real);
  const store = strongMemoryStore();
  const client = createClient({ url: sqld.url });
  const monitors = new Map(
    KINDS.map((kind) => {
      const { admin, ...options } = OPTIONS[kind];
      return [
        kind,
        createMonitor({
          databases: { primary: client },
          store: kind === "shut" ? strongMemoryStore() : store,
          ...options,
          metrics: { statsIntervalMs: STATS_INTERVAL_MS },
          // What runs these tests is no production.
          admin: { environment: "production", ...admin },
        }),
      ];
    }),
  );
  const origin = "https://db.example.com";
  return {
    name: "Node",
    outside,
    store,
    async ask({ path, ...init }, kind = "open") {
      const monitor = monitors.get(kind);
      if (monitor === undefined) throw new Error(kind);
      return answered(await monitor.handle(new Request(`${origin}${path}`, init)));
    },
    origin: () => origin,
    async stop() {
      for (const monitor of monitors.values()) monitor.close();
      client.close();
      globalThis.fetch = real;
      await sqld.stop();
      await outside.stop();
    },
  };
}
