// OFREP of both hosts, asked by the clients that others publish, and each answer held against the protocol.
import { OFREPProvider } from "@openfeature/ofrep-provider";
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";
import { OpenFeature } from "@openfeature/server-sdk";
import { OpenFeature as WebOpenFeature } from "@openfeature/web-sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Host, type Hosts, startHosts } from "./hosts.ts";
import { type OfrepAnswer, problemsOf, recording } from "./ofrep-answers.ts";
import { until } from "./rig.ts";

const ADMIN = "t0ken-of-the-operator-that-nobody-may-see";
const FOLLOW_MS = 100;
const flags = {
  version: 1,
  revision: 42,
  flags: {
    everybody: { rules: [{ serve: "on" }] },
    nobody: { rules: [{ id: "ramp", rollout: 0, serve: "on" }] },
    pro: { rules: [{ id: "pro", if: [{ attr: "plan", in: ["pro"] }], serve: "on" }] },
    half: { rules: [{ rollout: 50, serve: "on" }] },
    color: { variants: { warm: "red", cold: "blue" }, default: "cold" },
    count: { variants: { few: 3, many: 2.5 }, default: "few" },
    layout: { variants: { wide: { columns: [1, 2] }, list: [1] }, default: "wide" },
    rows: { variants: { list: [1, 2], none: null }, default: "list" },
    split: { variants: { A: 1, B: 2, off: 0 }, default: "off", rules: [{ id: "both", serve: { A: 50, B: 50 } }] },
    off: { enabled: false },
    dark: { enabled: false, variants: { a: "x" }, default: "a" },
    strict: { strict: true, by: "account", rules: [{ rollout: 50, serve: "on" }] },
    "a/b ü": { rules: [{ serve: "on" }] },
  },
};

let hosts: Hosts;
let strictHosts: Hosts;
const answers: OfrepAnswer[] = [];
const strictAnswers: OfrepAnswer[] = [];

beforeAll(async () => {
  const variables = {
    SEAWALL_ADMIN_TOKEN: ADMIN,
    SEAWALL_FOLLOW_INTERVAL_MS: String(FOLLOW_MS),
    METRICS_STATS_INTERVAL_MS: "1000",
  };
  hosts = await startHosts(
    variables,
    {
      adminToken: ADMIN,
      admin: { followIntervalMs: FOLLOW_MS },
      flags: { env: {} },
      metrics: { statsIntervalMs: 1_000 },
    },
    { isOpen: true },
  );
  const ofrep = { public: true, strict: true, requestsPerMinute: 20, origins: ["https://app.example.com"] };
  strictHosts = await startHosts(
    {
      SEAWALL_FLAGS: JSON.stringify(flags),
      SEAWALL_OFREP_PUBLIC: "true",
      SEAWALL_OFREP_STRICT: "true",
      SEAWALL_OFREP_PER_MINUTE: "20",
      SEAWALL_OFREP_ORIGINS: '["https://app.example.com"]',
      FEATURE_COLOR: "warm",
    },
    { flags: { definitions: flags, env: { FEATURE_COLOR: "warm" }, ofrep } },
  );
}, 120_000);
afterAll(async () => {
  await hosts?.stop();
  await strictHosts?.stop();
});

const fetched = recording(answers);
const urlOf = ({ port }: Host) => `http://127.0.0.1:${port}`;
const headersOf = (token: string) => ({ authorization: `Bearer ${token}`, "content-type": "application/json" });

async function admin(host: Host, method: string, path: string, body: unknown): Promise<Record<string, never>> {
  const headers = { ...headersOf(ADMIN), "if-match": "*" };
  const response = await fetch(`${urlOf(host)}/admin/api${path}`, { method, headers, body: JSON.stringify(body) });
  const text = await response.text();
  expect([200, 201], text).toContain(response.status);
  return JSON.parse(text);
}

async function evaluator(host: Host): Promise<string> {
  const wanted = { label: "a page", role: "evaluator", reason: "a test" };
  const token = (await admin(host, "POST", "/tokens", wanted)).secret ?? "";
  expect((await asked(host, "everybody", token)).status).toBe(200);
  return token;
}

function asked(host: Host, key: string, token: string, context: unknown = { targetingKey: "u" }, more = {}) {
  const path = `/ofrep/v1/evaluate/flags${key === "" ? "" : `/${key}`}`;
  const headers = { ...headersOf(token), ...more };
  return fetched(urlOf(host) + path, { method: "POST", headers, body: JSON.stringify({ context }) });
}

describe.each(["Worker", "Node"] as const)("%s", (name) => {
  const of = (all: Hosts) => all.all.find((host) => host.name === name) as Host;

  test("the provider of OpenFeature's servers gets values, variants, reasons and errors", async () => {
    const host = of(hosts);
    await admin(host, "PUT", "/orders/flags", { value: flags, reason: "a test" });
    const token = await evaluator(host);
    const headers: [string, string][] = [["Authorization", `Bearer ${token}`]];
    const provider = new OFREPProvider({ baseUrl: urlOf(host), headers, fetchImplementation: fetched });
    await OpenFeature.setProviderAndWait(`ofrep-${name}`, provider);
    const client = OpenFeature.getClient(`ofrep-${name}`);
    const context = { targetingKey: "user-7", plan: "pro" };
    expect(await client.getBooleanDetails("pro", false, context)).toMatchObject({
      value: true,
      variant: "on",
      reason: "TARGETING_MATCH",
      flagMetadata: { rule: "pro", revision: 42, version: 1 },
    });
    expect(await client.getBooleanDetails("nobody", true, context)).toMatchObject({ value: false, reason: "DEFAULT" });
    expect((await client.getBooleanDetails("half", false, context)).reason).toMatch(/^(SPLIT|DEFAULT)$/);
    expect(await client.getStringDetails("color", "", context)).toMatchObject({
      value: "blue",
      variant: "cold",
      reason: "STATIC",
    });
    expect(await client.getNumberValue("count", 0, context)).toBe(3);
    expect(await client.getObjectValue("layout", {}, context)).toEqual({ columns: [1, 2] });
    expect(await client.getBooleanDetails("off", true, context)).toMatchObject({ value: false, reason: "DISABLED" });
    const errors = [
      await client.getBooleanDetails("everybodi", true, context),
      await client.getBooleanDetails("color", true, context),
      await client.getBooleanDetails("strict", true, context),
      await client.getBooleanDetails("everybody", true, { plan: "pro" }),
    ];
    expect(errors.map(({ value, errorCode }) => [value, errorCode])).toEqual([
      [true, "FLAG_NOT_FOUND"],
      [true, "TYPE_MISMATCH"],
      [true, "TARGETING_KEY_MISSING"],
      [true, "TARGETING_KEY_MISSING"],
    ]);
    expect(errors[0]?.errorMessage).toContain("everybody");
    const stranger = new OFREPProvider({ baseUrl: urlOf(host), fetchImplementation: fetched });
    await OpenFeature.setProviderAndWait(`stranger-${name}`, stranger);
    const refused = await OpenFeature.getClient(`stranger-${name}`).getBooleanDetails("everybody", false, context);
    expect(refused).toMatchObject({ value: false, reason: "ERROR" });
    expect(answers.at(-1)?.status).toBe(401);
  });

  test("the provider of OpenFeature's pages asks for all flags, and again by their tag", async () => {
    const host = of(hosts);
    const token = await evaluator(host);
    const own: OfrepAnswer[] = [];
    const provider = new OFREPWebProvider({
      baseUrl: urlOf(host),
      headers: [["X-API-Key", token]],
      pollInterval: 50,
      changeDetection: "polling",
      cacheMode: "disabled",
      fetchImplementation: recording(own),
    });
    const domain = `web-${name}`;
    // Its hooks may be left out, which the SDK takes and its type does not say.
    await WebOpenFeature.setProviderAndWait(domain, provider as never, { targetingKey: "user-7", plan: "pro" });
    try {
      const client = WebOpenFeature.getClient(domain);
      expect(client.getBooleanDetails("pro", false)).toMatchObject({
        value: true,
        variant: "on",
        reason: "TARGETING_MATCH",
      });
      expect(client.getBooleanValue("everybody", false)).toBe(true);
      // Off, and the page's code says what that is.
      expect(client.getStringDetails("dark", "mine")).toMatchObject({ value: "mine", reason: "DISABLED" });
      expect(client.getBooleanDetails("strict", true)).toMatchObject({
        value: true,
        errorCode: "TARGETING_KEY_MISSING",
      });
      await until("nothing has changed", () => own.some(({ status }) => status === 304));
      await admin(host, "POST", "/kill", { flags: ["everybody"], reason: "a test" });
      await until("it is off", () => client.getBooleanValue("everybody", true) === false);
      await admin(host, "POST", "/kill/release", { reason: "a test" });
      await until("it is on again", () => client.getBooleanValue("everybody", false) === true);
    } finally {
      await WebOpenFeature.clearProviders();
    }
    expect(own[0]?.status).toBe(200);
    expect(own.every(({ status }) => status === 200 || status === 304)).toBe(true);
    answers.push(...own);
  });

  test("FLG-08: a flag that is killed is off in the next evaluation", async () => {
    const host = of(hosts);
    const value = async () => ((await (await asked(host, "everybody", ADMIN)).json()) as { value: boolean }).value;
    expect(await value()).toBe(true);
    await admin(host, "POST", "/kill", { flags: ["everybody"], reason: "a test" });
    expect(await value()).toBe(false);
    const told = (await (await asked(host, "everybody", ADMIN)).json()) as Record<string, unknown>;
    expect(told).toMatchObject({ reason: "DISABLED", metadata: { by: "kill" } });
    await admin(host, "POST", "/kill/release", { reason: "a test" });
    expect(await value()).toBe(true);
  });

  test("H044: a token for evaluation reads nothing else, and a wrong one nothing at all", async () => {
    const host = of(hosts);
    const token = await evaluator(host);
    expect((await asked(host, "everybody", token)).status).toBe(200);
    for (const path of ["orders/flags", "audit", "tokens", "logs", "backup"]) {
      const response = await fetch(`${urlOf(host)}/admin/api/${path}`, { headers: headersOf(token) });
      expect(response.status, path).toBe(403);
    }
    for (const wrong of ["x", `${token}x`, token.toLowerCase()]) {
      const response = await asked(host, "everybody", wrong);
      expect([response.status, response.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    }
  });

  test("H074, H076 and H096: whatever stands in keys and contexts, the answer is one of the protocol", async () => {
    const host = of(hosts);
    const statusOf = async (key: string, context: unknown) => (await asked(host, key, ADMIN, context)).status;
    for (const key of ["__proto__", "toString", "hasOwnProperty", "constructor", "%00", "%ff", "x".repeat(3_000)]) {
      expect(await statusOf(key, { targetingKey: "u" }), key).toBe(404);
    }
    expect(await statusOf("a%2Fb%20%C3%BC", { targetingKey: "u" })).toBe(200);
    for (const id of ["__proto__", "\0", "\ud800", "😀", " ", "x".repeat(4_096)]) {
      expect(await statusOf("half", { targetingKey: id }), JSON.stringify(id).slice(0, 20)).toBe(
        id === "\ud800" ? 400 : 200,
      );
    }
    for (const context of [null, [], "u", {}, { targetingKey: 7 }, { targetingKey: "x".repeat(5_000) }]) {
      for (const key of ["half", ""])
        expect(await statusOf(key, context), JSON.stringify(context)?.slice(0, 20)).toBe(400);
    }
    const polluted = '{"context":{"targetingKey":"u","__proto__":{"polluted":true}}}';
    const deep = `{"context":${"[".repeat(4_001)}${"]".repeat(4_001)}}`;
    const long = JSON.stringify({ context: { targetingKey: "u", more: "x".repeat(70_000) } });
    for (const body of [polluted, deep, long, "", "{", "\ufeff{}"]) {
      const init = { method: "POST", headers: headersOf(ADMIN), body };
      expect((await fetched(`${urlOf(host)}/ofrep/v1/evaluate/flags`, init)).status, body.slice(0, 60)).toBe(400);
    }
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test("FLG-07: what was served is counted by flag and variant, and who asked is nowhere", async () => {
    const host = of(hosts);
    await asked(host, "color", ADMIN, { targetingKey: "somebody-whom-nobody-may-see" });
    const text = async () => await (await fetch(`${urlOf(host)}/api/health/metrics`)).text();
    await until("it is counted", async () =>
      /seawall_flag_exposures_total\{flag="color",variant="cold"\} [1-9]/.test(await text()),
    );
    expect(await text()).not.toContain("somebody-whom-nobody-may-see");
    expect(hosts.log()).not.toContain("somebody-whom-nobody-may-see");
    const { flags: told } = (await (await fetch(`${urlOf(host)}/api/status`)).json()) as { flags: object };
    expect(told).toMatchObject({ ready: true, revision: 42, count: 13, failing: [] });
  });

  test("FLG-07: users who were not split as a rule says are a reason in the status, and no score falls", async () => {
    const host = of(hosts);
    type Status = {
      flags: { mismatches?: { flag: string; reason: string; p_value: number; rules: unknown[] }[] };
      databases: Record<string, { health_score: number }>;
    };
    const status = async () => (await (await fetch(`${urlOf(host)}/api/status`)).json()) as Status;
    const before = await status();
    expect(before.flags).not.toHaveProperty("mismatches");
    // All flags at once count as no exposure, so that they can be asked who gets what.
    const variantOf = async (id: string) => {
      const told = (await (await asked(host, "", ADMIN, { targetingKey: id })).json()) as {
        flags: { key: string; variant?: string }[];
      };
      return told.flags.find(({ key }) => key === "split")?.variant;
    };
    let lucky = 0;
    for (let user = 0; lucky < 20; user += 1) {
      if ((await variantOf(`user-${user}`)) !== "A") continue;
      await asked(host, "split", ADMIN, { targetingKey: `user-${user}` });
      lucky += 1;
    }
    const { flags: told, databases } = await status();
    expect(told.mismatches).toMatchObject([
      {
        flag: "split",
        served_by: "ofrep",
        reason: "Users of split are not split as rule both says: A 20 of 10, B 0 of 10 (p = 7.7e-6).",
        rules: [{ rule: "both", observed: { A: 20, B: 0 }, expected: { A: 10, B: 10 } }],
      },
    ]);
    const scores = ({ databases }: Pick<Status, "databases">) => Object.values(databases).map((it) => it.health_score);
    expect(scores({ databases })).toEqual(scores(before));
    const health = (await (await fetch(`${urlOf(host)}/api/health`)).json()) as { status: string; alerts: unknown[] };
    expect(health.alerts).toContainEqual({
      name: "sampleRatio",
      severity: "warning",
      message: told.mismatches?.[0]?.reason,
    });
    const why = await admin(host, "POST", "/flags/split/explain", { context: { targetingKey: "u" } });
    expect(why).toMatchObject({ sampleRatio: { verdict: "mismatch", observed: { A: 20, B: 0, off: 0 } } });
  });

  test("FLG-11 and FLG-13: it is told why somebody gets what it gets, and whom a change would move", async () => {
    const host = of(hosts);
    const why = await admin(host, "POST", "/flags/pro/explain", { context: { targetingKey: "u", plan: "free" } });
    expect(why).toMatchObject({
      flag: "pro",
      value: false,
      reason: "DEFAULT",
      steps: [{ step: "rule", outcome: "conditions" }],
    });
    const document = { ...flags, flags: { ...flags.flags, nobody: { rules: [{ rollout: 100, serve: "on" }] } } };
    const sample = [{ targetingKey: "a" }, { targetingKey: "b" }];
    const plan = await admin(host, "POST", "/flags/plan", { document, sample });
    expect(plan).toMatchObject({ sample: 2, flags: [{ flag: "nobody", enrolled: 2, dropped: 0 }] });
  });

  test("what is public and strict is to the letter of the protocol, and bounded", async () => {
    const host = of(strictHosts);
    const record = recording(strictAnswers);
    const provider = new OFREPProvider({ baseUrl: urlOf(host), fetchImplementation: record });
    await OpenFeature.setProviderAndWait(`strict-${name}`, provider);
    const client = OpenFeature.getClient(`strict-${name}`);
    const context = { targetingKey: "u" };
    expect(await client.getBooleanDetails("nobody", true, context)).toMatchObject({ value: false, reason: "STATIC" });
    expect(await client.getStringDetails("color", "", context)).toMatchObject({
      value: "red",
      reason: "STATIC",
      flagMetadata: { by: "env" },
    });
    expect(await client.getObjectDetails("rows", [], context)).toMatchObject({ value: [], errorCode: "GENERAL" });
    const body = JSON.stringify({ context });
    const ask = (origin: string, method = "POST") => {
      const headers = { origin, "content-type": "application/json" };
      return record(`${urlOf(host)}/ofrep/v1/evaluate/flags`, { method, headers, ...(method === "POST" && { body }) });
    };
    const allowed = await ask("https://app.example.com");
    expect(allowed.headers.get("access-control-allow-origin")).toBe("https://app.example.com");
    expect((await ask("https://evil.example")).headers.get("access-control-allow-origin")).toBeNull();
    let limited = await ask("https://app.example.com");
    for (let more = 0; more < 40 && limited.status !== 429; more += 1) limited = await ask("https://app.example.com");
    expect(limited.status).toBe(429);
    expect(Number(limited.headers.get("retry-after"))).toBeGreaterThan(0);
    // The client asks nobody until then.
    await client.getBooleanValue("nobody", false, context);
    const asked = strictAnswers.length;
    const paused = await client.getBooleanDetails("nobody", false, context);
    expect(paused).toMatchObject({ reason: "ERROR" });
    expect(strictAnswers.length).toBe(asked);
  });
});

test("each answer is what the protocol says", async () => {
  const statuses = new Set([...answers, ...strictAnswers].map(({ status }) => status));
  expect([...statuses].sort()).toEqual([200, 304, 400, 401, 404, 429]);
  expect(answers.length).toBeGreaterThan(100);
  expect(await problemsOf(answers)).toEqual([]);
  expect(await problemsOf(strictAnswers, { strict: true })).toEqual([]);
}, 120_000);
