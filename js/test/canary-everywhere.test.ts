// A secret is planted in every place that can hold one, and looked for in everything that comes out: what is thrown,
// printed, logged, stored, exported and answered, also when all of it fails. Time is hand-set.

import { inspect } from "node:util";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { found, SECRETS } from "../../tests/support/canaries.mjs";
import { type Config, createClient } from "../src/client.ts";
import { connectionFromEnv } from "../src/config/from-env.ts";
import { monitorOn } from "../src/monitor/monitor.ts";
import { CryptoKeys, cryptoKeys } from "../src/records/crypto-keys.ts";
import { createRecords } from "../src/records/records.ts";
import { Registry } from "../src/registry.ts";
import { memoryStore, strongMemoryStore } from "../src/store/memory.ts";
import { strongUpstashStore, upstashStore } from "../src/store/upstash.ts";
import { otlpTracer } from "../src/telemetry/otlp.ts";
import { Tenants } from "../src/tenants/tenants.ts";
import { failed, obliging } from "./fake-server.ts";
import { handSetClock, platformOf } from "./guards.ts";

handSetClock();

/** Everything that a value can be seen to hold. */
function seen(value: unknown): string {
  const texts = [
    inspect(value, { depth: null, showHidden: true, getters: true, maxArrayLength: null, maxStringLength: null }),
  ];
  try {
    texts.push(JSON.stringify(value) ?? "", String(value));
  } catch {
    // What has no text shows none.
  }
  if (value instanceof Error) texts.push(value.stack ?? "", value.message, seen(value.cause));
  return texts.join("\n");
}

const printed: string[] = [];
const spies: { mockRestore(): void }[] = [];
beforeEach(() => {
  printed.length = 0;
  for (const method of ["log", "info", "warn", "error", "debug", "trace"] as const) {
    spies.push(vi.spyOn(console, method).mockImplementation((...args) => void printed.push(args.map(seen).join(" "))));
  }
  for (const stream of [process.stdout, process.stderr]) {
    spies.push(
      vi.spyOn(stream, "write").mockImplementation((text) => {
        printed.push(String(text));
        return true;
      }),
    );
  }
});
afterEach(() => {
  for (const spy of spies.splice(0)) spy.mockRestore();
  vi.unstubAllGlobals();
});

/** What `work` throws or is rejected with; what it gives, otherwise. */
async function endOf(work: () => unknown): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    return error;
  }
}

const url = `https://${SECRETS.urlUser}:${SECRETS.urlPassword}@db.example.com`;
const replica = `https://user:${SECRETS.replicaPassword}@replica.example.com`;

test.each(["well", "refuses", "breaks", "garbles", "echoes", "unreachable"] as const)(
  "SEC-06, H175 and section S: nothing that comes out holds a secret, with a database that is %s",
  async (mode) => {
    const sent: string[] = [];
    const answer = async (request: Request) => {
      const body = await request.text();
      // What the server is sent is its own: all of it is there, or this test would prove nothing.
      arrived.push(`${request.headers.get("authorization")} ${request.headers.get("x-turso-encryption-key")} ${body}`);
      const shown = `${request.headers.get("authorization")} ${request.headers.get("x-turso-encryption-key")}`;
      if (mode === "refuses") return new Response(`no ${shown}`, { status: 401 });
      if (mode === "breaks") return Response.json({ message: `broken by ${shown}`, code: "BROKEN" }, { status: 500 });
      if (mode === "echoes") {
        const { requests } = JSON.parse(body) as { requests: unknown[] };
        const results = requests.map(() => failed("SQLITE_ERROR", `who is ${shown.replace("Basic ", "")}?`));
        return Response.json({ baton: null, base_url: null, results });
      }
      if (mode === "garbles") return new Response("<html>", { headers: { "content-type": "text/html" } });
      if (mode === "unreachable") throw new TypeError("fetch failed");
      return Response.json(obliging({ body: JSON.parse(body) } as never));
    };
    const arrived: string[] = [];
    vi.stubGlobal("fetch", async (_to: string, init: RequestInit) => {
      sent.push(`${String(init?.body)}`);
      return new Response("no", { status: mode === "well" ? 200 : 500 });
    });
    const logs: unknown[] = [];
    const hints = memoryStore();
    const strong = strongMemoryStore();
    const open = (config: Partial<Config>) =>
      createClient({
        url,
        fetch: answer,
        remoteEncryptionKey: SECRETS.encryptionKey,
        ...config,
        seawall: {
          state: { store: hints },
          retry: { attempts: 2, initialDelay: 1 },
          circuitBreaker: { failureThreshold: 2 },
          slowQuery: { threshold: 1 },
          queryCache: { enabled: true },
          logging: { level: "debug", errorMessages: true, sink: (record) => logs.push(record) },
          tracing: {
            enabled: true,
            endpoint: "http://collector.example.com",
            headers: { "x-key": SECRETS.otlpHeader },
            fetch: async (_to, init) => {
              sent.push(String(init.body));
              return new Response("{}", { status: mode === "well" ? 200 : 500 });
            },
          },
        },
      } as Config);
    const clients = [
      open({}),
      open({ url: `https://db.example.com?authToken=${SECRETS.urlToken}` }),
      open({ url: "https://db.example.com", authToken: SECRETS.authToken }),
    ];
    const out: Record<string, unknown> = {};
    for (const [number, client] of clients.entries()) {
      const { seawall } = client;
      out[`register ${number}`] = await endOf(() =>
        seawall.registerDatabase("token", "https://r1.example.com", { authToken: SECRETS.replicaToken }),
      );
      out[`registers ${number}`] = await endOf(() => seawall.registerDatabase("userinfo", replica));
      const where = `WHERE a = '${SECRETS.literal}'`;
      const asks: [string, () => Promise<unknown>][] = [
        ["read", () => client.execute({ sql: `SELECT * FROM t ${where} AND b = ?`, args: [SECRETS.argument] })],
        ["write", () => client.execute({ sql: `UPDATE t SET a = ? ${where}`, args: [SECRETS.argument] })],
        ["batch", () => client.batch([{ sql: "INSERT INTO t VALUES (?)", args: [SECRETS.batchArgument] }])],
        ["script", () => client.executeMultiple(`DELETE FROM t ${where}`)],
        [
          "transaction",
          async () => {
            const transaction = await client.transaction("write");
            await transaction.execute({ sql: "INSERT INTO t VALUES (?)", args: [SECRETS.argument] });
            await transaction.commit();
          },
        ],
      ];
      for (const [name, ask] of asks) {
        const ended = endOf(ask);
        await vi.advanceTimersByTimeAsync(30_000);
        const result = await ended;
        // A result is the caller's own, and what the database itself says of a statement is handed on as it is.
        if (result instanceof Error && mode !== "echoes") out[`${name} ${number}`] = result;
      }
      if (number === 2) seawall.rotateAuthToken(SECRETS.rotatedToken);
      const ended = endOf(() => client.execute("SELECT 1"));
      await vi.advanceTimersByTimeAsync(30_000);
      await ended;
      await endOf(() => seawall.telemetry.flush());
      out[`client ${number}`] = client;
      out[`surface ${number}`] = [
        seawall.status(),
        seawall.config(),
        seawall.exportConfig(),
        seawall.slowQueries(),
        seawall.connections(),
        seawall.operations(),
        seawall.telemetry.status(),
        seawall.telemetry.logs(),
        seawall.cluster(),
        seawall.getMetrics(),
        seawall.getPoolStats(),
        seawall.consistencyToken(),
        seawall.cache,
        seawall.fleet(),
      ];
    }

    const monitor = monitorOn(
      {
        databases: { primary: clients[2] as never },
        store: strong,
        cache: hints,
        adminToken: SECRETS.adminToken,
        telemetry: {
          otlp: {
            endpoint: "https://collector.example.com",
            headers: { "x-key": SECRETS.otlpHeader },
            intervalMs: 1_000,
          },
        },
        alerts: {
          enabled: true,
          webhookUrl: `https://hooks.slack.com/services/T0/B0/${SECRETS.webhook}`,
          sinks: [
            { name: "pager", kind: "pagerduty", routingKey: SECRETS.routingKey },
            {
              name: "own",
              url: `https://hooks.example.com/${SECRETS.webhook}`,
              authorization: `Bearer ${SECRETS.sinkAuthorization}`,
              secrets: [SECRETS.signing],
            },
          ],
        } as never,
      },
      platformOf({}),
    );
    const ask = async (path: string, init: RequestInit = {}) => {
      const ended = monitor.handle(new Request(`https://monitor.example.com${path}`, init));
      await vi.advanceTimersByTimeAsync(30_000);
      const response = await ended;
      return `${response.status} ${JSON.stringify([...response.headers])} ${await response.text()}`;
    };
    const authorization = `Bearer ${SECRETS.adminToken}`;
    const routes = [
      "/api/health",
      "/api/health/live",
      "/api/health/ready",
      "/api/health/score",
      "/api/status",
      "/api/health/metrics",
      "/admin/api/orders/config",
      "/admin/api/logs?level=debug&hours=24",
      "/admin/api/alerts",
      "/admin/api/nothing",
    ];
    for (const route of routes) {
      out[`route ${route}`] = await ask(route);
      out[`admin ${route}`] = await ask(route, { headers: { authorization } });
      out[`stranger ${route}`] = await ask(route, { headers: { authorization: `Bearer x${SECRETS.adminToken}` } });
    }
    const put = { method: "PUT", headers: { authorization, "content-type": "application/json", "if-match": "*" } };
    out.order = await ask("/admin/api/orders/kill", {
      ...put,
      body: JSON.stringify({ value: { flags: [] }, reason: "why" }),
    });
    for (let turn = 0; turn < 4; turn += 1) {
      const ended = monitor.tick();
      await vi.advanceTimersByTimeAsync(60_000);
      await ended;
    }
    expect(out["admin /admin/api/alerts"]).toContain("200");
    out.monitor = [monitor, monitor.status(), monitor.getMetrics(), await endOf(() => monitor.metricsText())];
    monitor.close();
    const keys = await hints.list?.("");
    out.hints = await Promise.all((keys ?? []).map(async (name) => [name, await hints.get(name)]));
    out.strong = await Promise.all((await strong.list("")).map(async (name) => [name, await strong.read(name)]));
    for (const client of clients) client.close();
    await vi.advanceTimersByTimeAsync(60_000);

    const all = arrived.join("\n");
    for (const name of ["literal", "argument", "batchArgument", "authToken", "encryptionKey"] as const) {
      if (mode === "well") expect(all, `${name} must have been used`).toContain(SECRETS[name]);
    }
    expect(logs.length).toBeGreaterThan(10);
    const leaks = Object.entries({ ...out, printed, logs }).map(
      ([where, value]) => [where, found(seen(value))] as const,
    );
    expect(leaks.filter(([, names]) => names.length > 0)).toEqual([]);
    // A receiver of alerts is sent the key that names it to itself, and nobody else's secret.
    const foreign = found(sent.join("\n")).filter((name) => name !== "routingKey");
    expect(foreign).toEqual([]);
  },
);

const bad = (text: string) => `${text}\r\n\u0000`;

test.each<[string, () => unknown]>([
  ["a token", () => createClient({ url: "https://h.example", authToken: bad(SECRETS.authToken) }).execute("SELECT 1")],
  [
    "a token, with a fetch",
    () =>
      createClient({
        url: "https://h.example",
        authToken: bad(SECRETS.authToken),
        fetch: async () => new Response(),
      }).execute("SELECT 1"),
  ],
  [
    "a key of encryption",
    () =>
      createClient({ url: "https://h.example", remoteEncryptionKey: bad(SECRETS.encryptionKey) }).execute("SELECT 1"),
  ],
  [
    "a key of encryption, with a fetch",
    () =>
      createClient({
        url: "https://h.example",
        remoteEncryptionKey: bad(SECRETS.encryptionKey),
        fetch: async () => new Response(),
      }).execute("SELECT 1"),
  ],
  ["userinfo before a bad port", () => createClient({ url: `https://user:${SECRETS.urlPassword}@h.example:99999` })],
  [
    "userinfo before a bad host",
    () => createClient({ url: `libsql://${SECRETS.urlUser}:${SECRETS.urlPassword}@h exa<mple` }),
  ],
  ["userinfo with bad escapes", () => createClient({ url: `libsql://u:${SECRETS.urlPassword}%zz@h.example` })],
  ["userinfo of a scheme that is none", () => createClient({ url: `mysql://u:${SECRETS.urlPassword}@h.example` })],
  [
    "a token in a URL with another parameter",
    () => createClient({ url: `libsql://h.example?authToken=${SECRETS.urlToken}&x=${SECRETS.urlPassword}` }),
  ],
  ["a token as the value of tls", () => createClient({ url: `libsql://h.example?tls=${SECRETS.urlToken}` })],
  ["a token as the name of a parameter", () => createClient({ url: `libsql://h.example?${SECRETS.urlToken}` })],
  ["a token in a fragment", () => createClient({ url: `libsql://h.example#${SECRETS.urlToken}` })],
  ["a text that is no URL", () => createClient({ url: `${SECRETS.authToken} ` })],
  [
    "a replica's userinfo",
    () =>
      createClient({
        url: "https://h.example",
        seawall: { replicas: [{ url: `bad://u:${SECRETS.replicaPassword}@r` }] },
      }),
  ],
  [
    "a token that a function throws",
    () =>
      createClient({
        url: "https://h.example",
        fetch: async () => new Response(),
        seawall: { authToken: () => Promise.reject(new Error("no vault")) },
      }).execute("SELECT 1"),
  ],
  [
    "an environment",
    () =>
      connectionFromEnv({
        TURSO_DATABASE_URL: `postgres://u:${SECRETS.urlPassword}@h.example`,
        TURSO_AUTH_TOKEN: SECRETS.authToken,
      }),
  ],
  [
    "a collector with userinfo",
    () =>
      otlpTracer({ endpoint: `ftp://u:${SECRETS.otlpPassword}@c.example`, headers: { "x-key": SECRETS.otlpHeader } }),
  ],
  [
    "a collector with a header that is none",
    () => otlpTracer({ endpoint: "http://c.example", headers: { "x-key": bad(SECRETS.otlpHeader) } }),
  ],
  [
    "Upstash with userinfo",
    () => upstashStore({ url: `https://u:${SECRETS.upstashPassword}@u.example`, token: SECRETS.upstashToken }),
  ],
  [
    "Upstash that is no URL",
    () => strongUpstashStore({ url: `u:${SECRETS.upstashPassword}`, token: SECRETS.upstashToken }),
  ],
  [
    "Upstash with a token that no header carries",
    () => upstashStore({ url: "https://u.example", token: bad(SECRETS.upstashToken) }).get("x"),
  ],
  [
    "a webhook that is refused",
    () =>
      monitorOn(
        { databases: {} as never, alerts: { enabled: true, webhookUrl: `http://localhost/${SECRETS.webhook}` } },
        platformOf({}),
      ),
  ],
  [
    "a sink that is refused",
    () =>
      monitorOn(
        {
          databases: {} as never,
          alerts: {
            sinks: [{ name: "a", url: `https://u:${SECRETS.webhook}@10.0.0.1/`, secrets: [SECRETS.adminToken] }],
          } as never,
        },
        platformOf({}),
      ),
  ],
  [
    "an admin token that is too short",
    () => monitorOn({ databases: {} as never, adminToken: SECRETS.fetchError }, platformOf({})),
  ],
  [
    "headers of a collector that are none",
    () =>
      monitorOn(
        { databases: {} as never, telemetry: { otlp: { endpoint: "x", headers: SECRETS.otlpHeader } } },
        platformOf({}),
      ),
  ],
  ["a crypto key that is none", () => new CryptoKeys([SECRETS.fetchError])],
  [
    "crypto keys of an environment",
    () => cryptoKeys({ SEAWALL_CRYPTO_KEY: `${SECRETS.cryptoKey},${SECRETS.fetchError}` }),
  ],
  ["crypto keys", () => new CryptoKeys([SECRETS.cryptoKey])],
  [
    "records",
    () =>
      createRecords({
        client: { execute: async () => ({ rows: [], rowsAffected: 0 }), batch: async () => [] },
        keys: [SECRETS.cryptoKeyHex],
      }),
  ],
  [
    "a connection string that cannot be stored",
    () =>
      createRecords({
        client: { execute: async () => ({ rows: [], rowsAffected: 0 }), batch: async () => [] },
        keys: [SECRETS.cryptoKeyHex],
      }).addDatabase({ project: "p", name: "n", type: "nope" as never, connection: bad(SECRETS.connection) }),
  ],
  [
    "tenants",
    () => new Tenants({ open: () => ({ url: "https://h.example", authToken: SECRETS.tenantToken }) } as never),
  ],
  ["a registry", () => new Registry()],
])("SEC-06: %s comes out of no error and no object", async (_name, work) => {
  const ended = endOf(work);
  await vi.advanceTimersByTimeAsync(60_000);
  const text = seen(await ended);
  expect(found(text), text.slice(0, 2_000)).toEqual([]);
  expect(found(printed.join("\n"))).toEqual([]);
});
