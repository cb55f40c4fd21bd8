// Hostile inputs to what operators use, at the deployable Worker in workerd: orders, alerts, metrics, webhooks. What is
// stored, and the metrics as promtool reads them, are looked at after each.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Invariants } from "../support/invariants.mjs";
import type { Module } from "../support/workerd.mjs";
import { type Rig, startRig } from "./rig.ts";

const built = (name: string) => fileURLToPath(new URL(`../../build/${name}`, import.meta.url));
const modules: Module[] = [
  { type: "ESModule", path: "index.js", contents: readFileSync(built("index.js"), "utf8") },
  { type: "CompiledWasm", path: "index_bg.wasm", contents: new Uint8Array(readFileSync(built("index_bg.wasm"))) },
];
const TOKEN = "t0ken-of-the-operator-that-nobody-may-see";
const HOOK = "https://hooks.slack.com/services/T000/B000/secret-part-of-the-address";
const ORDERS = ["config", "flags", "kill", "phase"];

/** Addresses that no alert may be sent to. */
const H120 = [
  "https://127.0.0.1/",
  "https://2130706433/",
  "https://0x7f.1/",
  "https://017700000001/",
  "https://127.1/",
  "https://①②⑦.⓪.⓪.①/",
  "https://[::1]/",
  "https://[::ffff:127.0.0.1]/",
  "https://0.0.0.0/",
  "https://localhost/",
  "https://localhost./",
  "https://169.254.169.254/latest/meta-data",
  "https://metadata.google.internal/",
  "https://10.1.2.3/",
  "https://172.16.0.1/",
  "https://192.168.1.1/",
  "https://100.64.0.1/",
  "https://[fe80::1]/",
  "https://[fc00::1]/",
  "https://[64:ff9b::7f00:1]/",
];
const H122 = [
  "https://hooks.slack.com@evil.tld/",
  "https://hooks.slack.com\\@evil.tld/",
  "https://hooks.example.com:22/",
  "https://hooks.example.com:6379/",
  "https://user:password@hooks.example.com/",
  "http://hooks.example.com/",
  "javascript:alert(1)",
];

let rig: Rig;
let invariants: Invariants;

interface Asked {
  method?: string;
  path: string;
  headers?: Record<string, string>;
  body?: string;
}

async function ask({ path, ...init }: Asked, worker = "first") {
  const response = await rig.ask(worker, path, init);
  return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() };
}

const authorized = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };

/** Everything that is stored of orders. */
async function state(): Promise<string> {
  const all = await Promise.all(
    ORDERS.map((name) => ask({ path: `/admin/api/orders/${name}`, headers: authorized }).then(({ body }) => body)),
  );
  return all.join("\n");
}

beforeAll(async () => {
  rig = await startRig((url) => {
    const bindings = { TURSO_DATABASE_URL: url, SEAWALL_ADMIN_TOKEN: TOKEN };
    const durableObjects = { SEAWALL_STORE: { className: "SeawallStore", useSQLite: true } };
    const wrong = [...H120, ...H122].map((address, number) => [
      `wrong${number}`,
      { modules, bindings: { ...bindings, DB_ALERT_WEBHOOK_URL: address } },
    ]);
    return {
      first: { modules, bindings: { ...bindings, DB_ALERT_WEBHOOK_URL: HOOK }, durableObjects },
      ...Object.fromEntries(wrong),
    };
  });
  expect((await ask({ path: "/api/health" })).status).toBe(200);
  for (const name of ["kill", "flags"]) {
    const body = JSON.stringify({ value: { flags: [] }, reason: "before" });
    const headers = { ...authorized, "if-match": "*" };
    await ask({ method: "PUT", path: `/admin/api/orders/${name}`, headers, body });
  }
  // The routes and classes of status that these tests lead to have their series from the start.
  for (const headers of [{}, authorized] as Record<string, string>[]) {
    for (const path of [
      "/admin/api/orders/kill",
      "/admin/api/orders/nothing",
      "/admin/api/alerts",
      "/admin/api/nothing",
    ]) {
      await ask({ path, headers });
      await ask({ method: "PUT", path, headers, body: "{" });
    }
    for (const path of ["/admin/api/alerts/none/ack", "/admin/api/alerts/silences"]) {
      await ask({ method: "POST", path, headers, body: "{" });
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  const watch = { secrets: [TOKEN, HOOK, "secret-part"], state, metrics: "/api/health/metrics?names=canonical" };
  invariants = await new Invariants(ask, watch).begin();
}, 120_000);
afterAll(() => rig?.stop());

interface Hostile extends Asked {
  title: string;
  status: number[];
}

async function suffer({ title, status, ...asked }: Hostile) {
  const answer = await ask(asked);
  expect(status, `${title}: ${answer.status} ${answer.body.slice(0, 200)}`).toContain(answer.status);
  expect(await invariants.broken(asked, answer, { mayFail: status.includes(503) }), title).toStrictEqual([]);
  return answer;
}

const order = (body: string, headers: Record<string, string> = {}): Asked => ({
  method: "PUT",
  path: "/admin/api/orders/kill",
  headers: { ...authorized, "if-match": "*", ...headers },
  body,
});

describe("orders", () => {
  test.each<Hostile>([
    { title: "H018: no token", ...order("{}"), headers: { "if-match": "*" }, status: [401] },
    { title: "H018: an empty scheme", ...order("{}", { authorization: "Bearer" }), status: [401] },
    { title: "H018: another scheme", ...order("{}", { authorization: "Basic dDp0" }), status: [401] },
    {
      title: "H018: small letters are another token",
      ...order("{}", { authorization: `Bearer ${TOKEN.toUpperCase()}` }),
      status: [401],
    },
    { title: "H022: two tokens", ...order("{}", { authorization: `Bearer ${TOKEN}, Bearer x` }), status: [401] },
    { title: "H060: an encoded body", ...order("{}", { "content-encoding": "gzip" }), status: [415] },
    { title: "H062: a key of 60,000 characters", ...order(`{"${"k".repeat(60_000)}":1}`), status: [400, 422] },
    { title: "H064: a number that is none", ...order('{"value":{"a":1e400},"reason":"x"}'), status: [400, 422] },
    { title: "H066: something behind", ...order('{"value":{},"reason":"x"} {}'), status: [400, 422] },
    { title: "H066: a comma too many", ...order('{"value":{},"reason":"x",}'), status: [400, 422] },
    { title: "H068: null", ...order("null"), status: [400, 422] },
    { title: "H068: a list", ...order("[]"), status: [400, 422] },
    { title: "H068: nothing", ...order(""), status: [400, 422] },
    { title: "H070: another version", ...order('{"value":{},"reason":"x"}', { "if-match": '"99"' }), status: [412] },
    {
      title: "H014: another method in a header",
      ...order("{", { "x-http-method-override": "DELETE" }),
      status: [400, 422],
    },
    {
      title: "H106: a name that leads elsewhere",
      path: "/admin/api/orders/..%2fconfig",
      headers: authorized,
      status: [404],
    },
    { title: "H106: a name of prototypes", path: "/admin/api/orders/__proto__", headers: authorized, status: [404] },
  ])("$title", async (hostile) => {
    await suffer(hostile);
  });
});

describe("alerts", () => {
  test.each<Hostile>([
    { title: "acknowledged by a stranger", method: "POST", path: "/admin/api/alerts/a/ack", body: "{}", status: [401] },
    {
      title: "one that is not there",
      method: "POST",
      path: "/admin/api/alerts/%00/ack",
      headers: authorized,
      body: '{"by":"me"}',
      status: [400, 404, 422],
    },
    {
      title: "H050: a silence with markup for a reason, and no end",
      method: "POST",
      path: "/admin/api/alerts/silences",
      headers: authorized,
      body: JSON.stringify({ match: {}, reason: "<img src=x onerror=alert(1)>", untilMs: 1e300 }),
      status: [400, 422],
    },
  ])("$title", async (hostile) => {
    await suffer(hostile);
  });

  test("H132: of the address of a webhook operators see its scheme and host", async () => {
    const { body } = await suffer({ title: "list", path: "/admin/api/alerts", headers: authorized, status: [200] });
    expect(body).toContain("https://hooks.slack.com");
    expect(body).not.toContain("/services");
  });
});

describe("webhooks", () => {
  test.each([...H120, ...H122].map((address, number) => ({ address, number })))(
    "H120 and H122: $address is refused when the Worker starts",
    async ({ address, number }) => {
      const worker = `wrong${number}`;
      const health = await ask({ path: "/api/health" }, worker);
      expect(health.status).toBe(503);
      expect(health.body).toContain("The address of the sink webhook");
      expect(health.body).not.toContain(address.slice(9));
      expect((await ask({ path: "/api/health/live" }, worker)).status).toBe(200);
    },
  );
});

describe("metrics", () => {
  test("H142: a thousand scrapes ask the database nothing", async () => {
    const before = await ask({ path: "/api/health/metrics" });
    const attempts = (text: string) => /^db_queries_total (\d+)/m.exec(text)?.[1];
    for (let round = 0; round < 20; round += 1) {
      const all = await Promise.all(Array.from({ length: 50 }, () => ask({ path: "/api/health/metrics" })));
      for (const { status } of all) expect(status).toBe(200);
    }
    const { body } = await ask({ path: "/api/health/metrics" });
    expect(attempts(body)).toBe(attempts(before.body));
  });

  test.each<Hostile>([
    { title: "H134: names that are none", path: '/api/health/metrics?names=a"}%0Aevil_metric%201', status: [400] },
    {
      title: "H138: an Accept of 8,000 parts",
      path: "/api/health/metrics",
      headers: { accept: "a/b,".repeat(8_000) },
      status: [200, 431],
    },
    { title: "H012: written to", method: "POST", path: "/api/health/metrics", body: "{}", status: [405] },
  ])("$title", async (hostile) => {
    await suffer(hostile);
  });
});
