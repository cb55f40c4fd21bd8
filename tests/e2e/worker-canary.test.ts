// The deployable Worker in workerd, with a secret in every variable that can hold one: none of them comes out, whatever the
// database does. And a token that the database refuses: a mistake in the settings, and no outage.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { found, SECRETS } from "../support/canaries.mjs";
import { type Outside, startOutside } from "../support/outside.mjs";
import type { Module } from "../support/workerd.mjs";
import { type Rig, startRig, until } from "./rig.ts";

const built = (name: string) => fileURLToPath(new URL(`../../build/${name}`, import.meta.url));
const modules: Module[] = [
  { type: "ESModule", path: "index.js", contents: readFileSync(built("index.js"), "utf8") },
  { type: "CompiledWasm", path: "index_bg.wasm", contents: new Uint8Array(readFileSync(built("index_bg.wasm"))) },
];

const WRONG: Record<string, Record<string, string>> = {
  userinfo: { TURSO_DATABASE_URL: `libsql://user:${SECRETS.urlPassword}@db.example.com` },
  parameter: { TURSO_DATABASE_URL: `libsql://db.example.com?authToken=${SECRETS.urlToken}` },
  scheme: { TURSO_DATABASE_URL: `mysql://user:${SECRETS.urlPassword}@db.example.com` },
  text: { TURSO_DATABASE_URL: SECRETS.urlPassword },
  collector: { OTEL_EXPORTER_OTLP_ENDPOINT: `ftp://user:${SECRETS.urlPassword}@c.example.com` },
  headers: { OTEL_EXPORTER_OTLP_HEADERS: SECRETS.otlpHeader },
  hook: { DB_ALERT_WEBHOOK_URL: `https://user:${SECRETS.webhook}@10.0.0.1/${SECRETS.webhook}` },
  admin: { SEAWALL_ADMIN_TOKEN: SECRETS.cookie },
  elsewhere: { TURSO_DATABASE_URL: "", DATABASE_URL: `postgres://user:${SECRETS.databaseUrl}@db.example.com` },
};

let rig: Rig;
/** What the Workers send to others arrives there. */
let outside: Outside;
/** Everything that has come out. */
const out: [where: string, text: string][] = [];

beforeAll(async () => {
  outside = await startOutside();
  rig = await startRig(
    (url) => {
      const bindings = {
        TURSO_DATABASE_URL: url,
        TURSO_AUTH_TOKEN: SECRETS.authToken,
        SEAWALL_ADMIN_TOKEN: SECRETS.adminToken,
        SEAWALL_CRYPTO_KEY: SECRETS.cryptoKey,
        PG_META_CRYPTO_KEY: SECRETS.olderCryptoKeyHex,
        DATABASE_URL: `postgres://user:${SECRETS.databaseUrl}@db.example.com`,
        REDIS_URL: `redis://:${SECRETS.redisUrl}@redis.example.com`,
        MONGODB_URL: `mongodb://u:${SECRETS.mongoUrl}@mongo.example.com`,
        OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector.seawall.dev",
        OTEL_EXPORTER_OTLP_HEADERS: `x-key=${SECRETS.otlpHeader}`,
        OTEL_METRIC_EXPORT_INTERVAL: "1000",
        DB_ALERT_ENABLED: "true",
        DB_ALERT_WEBHOOK_URL: `https://hooks.slack.com/services/T0/B0/${SECRETS.webhook}`,
        CB_FAILURE_THRESHOLD: "1",
        CB_RECOVERY_TIMEOUT: "1000",
      };
      const durableObjects = { SEAWALL_STORE: { className: "SeawallStore", useSQLite: true } };
      const wrong = Object.entries(WRONG).map(([name, own]) => [name, { modules, bindings: { ...bindings, ...own } }]);
      return {
        canary: { modules, bindings, durableObjects, kvNamespaces: { SEAWALL_KV: "canary" } },
        alone: {
          modules,
          bindings: { TURSO_DATABASE_URL: url, TURSO_AUTH_TOKEN: SECRETS.authToken, CB_FAILURE_THRESHOLD: "1" },
        },
        ...Object.fromEntries(wrong),
      };
    },
    { outside },
  );
});

afterAll(async () => {
  await rig?.stop();
  await outside?.stop();
});

/** What was sent to a host. */
const sentTo = (host: string) => outside.left.filter(({ url }) => new URL(url).hostname.startsWith(host));

const ROUTES = [
  ...["/api/health", "/api/health/live", "/api/health/ready", "/api/health/score", "/api/status"],
  ...["/api/health/metrics", "/api/platform/health", "/api/nothing"],
  ...[
    "/admin/api/orders/config",
    "/admin/api/orders/nothing",
    "/admin/api/logs?level=debug&hours=24",
    "/admin/api/alerts",
  ],
];

async function ask(worker: string, path: string, init: RequestInit = {}): Promise<Response> {
  const response = await rig.ask(worker, path, init);
  const copy = response.clone();
  out.push([`${worker} ${path}`, `${JSON.stringify([...response.headers])} ${await copy.text()}`]);
  return response;
}

async function askEverything(worker: string): Promise<void> {
  const admin = { authorization: `Bearer ${SECRETS.adminToken}` };
  const stranger = { authorization: `Bearer ${SECRETS.stranger}`, cookie: `session=${SECRETS.cookie}` };
  for (const path of ROUTES) {
    for (const headers of [{}, admin, stranger] as Record<string, string>[]) await ask(worker, path, { headers });
  }
  const json = { ...admin, "content-type": "application/json", "if-match": "*" };
  await ask(worker, "/admin/api/orders/config", {
    method: "PUT",
    headers: json,
    body: `{"token":"${SECRETS.stranger}"`,
  });
  const order = JSON.stringify({ value: { flags: [] }, reason: "canary" });
  await ask(worker, "/admin/api/orders/kill", { method: "PUT", headers: json, body: order });
}

/** What the strong store holds, asked under the Worker's feet. */
async function strong(): Promise<string> {
  const objects = await rig.miniflare.getDurableObjectNamespace("SEAWALL_STORE", "canary");
  const stub = objects.get(objects.idFromName("seawall"));
  const tell = async (question: object) =>
    (await stub.fetch("https://seawall.invalid/", { method: "POST", body: JSON.stringify(question) })).text();
  const listed = await tell({ ask: "list", prefix: "" });
  const keys = listed.match(/[a-z]+\/[\w/-]+/g) ?? [];
  const texts = await Promise.all(keys.map((key) => tell({ ask: "read", key })));
  expect(keys.length, listed).toBeGreaterThan(1);
  return [listed, ...texts].join("\n");
}

test("SEC-06, H175 and section S: no secret of the Worker comes out of an answer, a log, a store or an export", async () => {
  const modes = [
    { kind: "pass" },
    { kind: "status", status: 401, body: `${SECRETS.authToken} ${SECRETS.server}` },
    { kind: "status", status: 500, body: JSON.stringify({ message: SECRETS.authToken, code: SECRETS.server }) },
    { kind: "cut" },
    { kind: "refuse" },
  ] as const;
  for (const mode of modes) {
    await rig.proxy.set(mode);
    // A probe is a second old at most: one that meets this mode.
    const began = Date.now();
    await until("a later second", async () => Date.now() - began > 1_100);
    await askEverything("canary");
  }
  // It ran, with all of its settings: a Worker whose settings are wrong would have nothing to tell.
  const [, first] = out.find(([where]) => where === "canary /api/health") ?? [];
  expect(first).toContain('"connected":true');
  await until("an export", async () => {
    await ask("canary", "/api/health/live");
    return sentTo("collector").some(({ body }) => body.includes("probe failed")) && sentTo("hooks").length > 0;
  });
  expect(sentTo("collector")[0]?.headers["x-key"], "the collector is shown its own").toBe(SECRETS.otlpHeader);
  expect(sentTo("hooks")[0]?.url, "and so is the receiver").toContain(SECRETS.webhook);
  for (const worker of Object.keys(WRONG)) await askEverything(worker);

  const kv = await rig.miniflare.getKVNamespace("SEAWALL_KV", "canary");
  const { keys } = await kv.list();
  for (const { name } of keys) out.push([`KV ${name}`, `${name} ${await kv.get(name)}`]);
  out.push(["strong store", await strong()], ["console", rig.log()]);
  out.push(["sent", outside.left.map(({ body }) => body).join("\n")]);
  expect(out.length).toBeGreaterThan(200);
  expect(rig.log()).toContain("probe failed");
  const leaks = out.map(([where, text]) => [where, found(text)] as const).filter(([, names]) => names.length > 0);
  expect(leaks).toEqual([]);
});

test("SEC-07: a token that the database refuses is a mistake in the settings, and no outage", async () => {
  const isReady = async () => (await rig.ask("alone", "/api/health/ready")).status === 200;
  await rig.proxy.set({ kind: "pass" });
  await until("it is ready", isReady);
  await rig.proxy.set({ kind: "status", status: 401, body: "revoked" });
  await until("it knows", async () => !(await isReady()));
  // One failure would have opened it.
  const health = async () => JSON.stringify(await (await rig.ask("alone", "/api/health")).json());
  expect(await health()).toMatch(/"circuitBreaker":\{"state":"CLOSED"/i);
  expect(await (await rig.ask("alone", "/api/health/metrics")).text()).toMatch(/type="auth"\} [1-9]/);
  // With a good token the next probe finds it well, without waiting for anything to recover.
  await rig.proxy.set({ kind: "pass" });
  await until("it is ready again", isReady);
  await rig.proxy.set({ kind: "status", status: 500 });
  await until("a real outage", async () => /"state":"OPEN"/i.test(await health()));
});
