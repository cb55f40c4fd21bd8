// Hostile inputs to what operators do at once and everywhere, on both hosts: sections A, B, G, H, I, K and L of the list. After
// each of them the invariants hold; the log is whole, and has a record of what was done and of nothing else.
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { strongMemoryStore } from "../../js/src/store/memory.ts";
import { Invariants } from "../support/invariants.mjs";
import { type Answered, type Asked, type Host, type Hosts, SECRET, startHosts } from "./hosts.ts";

const TOKEN = "an-admin-token-of-these-tests-that-nobody-guesses";
const LIMIT = 65_536;
const authorized = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
const ORDERS = ["config", "flags", "kill", "phase", "control"];
const REASON = '{"reason":"a test"}';

let hosts: Hosts;
const invariants = new Map<string, Invariants>();

/** All orders, and the log with its head. */
async function stateOf({ ask }: Host): Promise<string> {
  const paths = [...ORDERS.map((name) => `/orders/${name}`), "/audit?limit=3", "/audit/verify"];
  const all = await Promise.all(
    paths.map((path) => ask({ path: `/admin/api${path}`, headers: authorized }).then(({ body }) => body)),
  );
  // The number of a request is its own.
  return all.join("\n");
}

const post = (path: string, body: string, headers: Record<string, string> = {}): Asked => ({
  method: "POST",
  path: `/admin/api${path}`,
  headers: { ...authorized, ...headers },
  body,
});
const put = (name: string, body: string, headers: Record<string, string> = {}): Asked => ({
  method: "PUT",
  path: `/admin/api/orders/${name}`,
  headers: { ...authorized, "if-match": "*", ...headers },
  body,
});
const get = (path: string): Asked => ({ path: `/admin/api${path}`, headers: authorized });

/** Leads to each route and class of status, so that each has its series. */
async function warmUp({ ask }: Host): Promise<void> {
  for (const path of ["/kill", "/kill/release", "/nothing", "/circuits/primary/hold", "/circuits/primary/release"]) {
    await ask(post(path, "{"));
    await ask({ ...post(path, "{"), headers: {} });
    await ask(get(path));
  }
  for (const path of ["/circuits/primary/reset", "/pools/primary/drain"]) {
    await ask(post(path, "{"));
    await ask(get(path));
    expect((await ask(post(path, REASON))).status).toBe(200);
  }
  for (const name of ORDERS) {
    for (const asked of [put(name, "{"), { ...get(`/orders/${name}`), headers: {} }, get(`/orders/${name}`)]) {
      await ask(asked);
    }
  }
  for (const path of ["/audit", "/audit/verify", "/openapi.json", "/logs", "/alerts", ""]) {
    for (const method of ["GET", "POST", "OPTIONS"]) await ask({ ...get(path), method });
  }
  await ask(get("/audit?before=x"));
  await ask(get("/audit/verify?from=x"));
  expect((await ask(put("flags", '{"value":{"version":1},"reason":"before"}'))).status).toBe(200);
  expect((await ask(post("/kill", '{"reason":"before","flags":["a"]}'))).status).toBe(200);
}

beforeAll(async () => {
  const store = strongMemoryStore();
  hosts = await startHosts({ SEAWALL_ADMIN_TOKEN: TOKEN }, { adminToken: TOKEN, store });
  for (const host of hosts.all) {
    expect((await host.ask({ path: "/api/health" })).status).toBe(200);
    await warmUp(host);
    // What is told each second is told.
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    const watch = {
      secrets: [SECRET, TOKEN],
      state: () => stateOf(host),
      metrics: "/api/health/metrics?names=canonical",
    };
    invariants.set(host.name, await new Invariants(host.ask, watch).begin());
  }
}, 120_000);
afterAll(() => hosts?.stop());

interface Hostile extends Asked {
  title: string;
  status: number[];
  code?: string;
}

/** Sends one to both hosts; nothing of what is stored may change. */
async function suffer({ title, status, code, ...asked }: Hostile): Promise<Answered[]> {
  const all = [];
  for (const { name, ask } of hosts.all) {
    const answer = await ask(asked);
    expect(status, `${name}: ${title}: ${answer.status} ${answer.body.slice(0, 200)}`).toContain(answer.status);
    if (code !== undefined) expect([name, JSON.parse(answer.body).code]).toStrictEqual([name, code]);
    expect(await invariants.get(name)?.broken(asked, answer), `${name}: ${title}`).toStrictEqual([]);
    all.push(answer);
  }
  return all;
}

describe("A and B: paths and methods", () => {
  const paths = [
    "/admin/api/circuits/%2A/hold",
    "/admin/api/circuits/%2e%2e/hold",
    "/admin/api/circuits/../kill/hold",
    "/admin/api/circuits//hold",
    "/admin/api/circuits/a%2Fb/hold",
    "/admin/api/circuits/a%00/hold",
    "/admin/api/circuits/a;b/hold",
    "/admin/api/circuits/%F0%9F%92%A9/hold",
    "/admin/api/circuits/__proto__/hold",
    "/admin/api/circuits/primary/hold/hold",
    "/admin/api/circuits/primary/HOLD",
    `/admin/api/circuits/${"a".repeat(129)}/hold`,
    `/admin/api/circuits/${"a".repeat(20_000)}/hold`,
    "/admin/api/kill%20",
    "/admin/api//kill",
    "/Admin/api/kill",
    "/admin/api/kill/..%2fkill",
    "/admin/api/orders/__proto__",
    "/admin/api/orders/tokens%00",
  ];
  test.each(paths)("H002, H004, H008 and H106: %s leads nowhere", async (path) => {
    const asked = { ...post("", '{"reason":"x","state":"open"}'), path };
    await suffer({ title: path.slice(0, 60), ...asked, status: [404, 405, 414, 431] });
  });

  test.each(["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix"])("H010: %s is ignored", async (header) => {
    await suffer({
      title: header,
      ...get("/nothing"),
      headers: { ...authorized, [header]: "/admin/api/audit" },
      status: [404],
    });
  });

  const methods = ["PUT", "PATCH", "DELETE", "GET", "HEAD"].map((method) => ({ method }));
  test.each(methods)("H012: $method of the kill switch is refused", async ({ method }) => {
    for (const { name, ask } of hosts.all) {
      const answer = await ask({ ...post("/kill", ""), method, body: "" });
      expect([name, answer.status, answer.headers.allow]).toStrictEqual([name, 405, "POST"]);
    }
    await suffer({ title: method, ...post("/kill", method === "PUT" ? "{}" : ""), method, status: [405] });
  });

  test("H014: another method in a header or the query is ignored", async () => {
    const headers = { ...authorized, "x-http-method-override": "POST", "x-http-method": "POST" };
    await suffer({ title: "override", path: "/admin/api/kill?_method=POST", headers, status: [405] });
  });

  test("H016: OPTIONS tells no route and lets no origin in", async () => {
    for (const path of ["/kill", "/nothing", "/circuits/primary/hold"]) {
      const headers = { origin: "https://evil.example", "access-control-request-method": "POST" };
      const answers = await suffer({
        title: path,
        method: "OPTIONS",
        path: `/admin/api${path}`,
        headers,
        status: [204],
      });
      for (const { headers } of answers) expect(headers["access-control-allow-origin"]).toBeUndefined();
    }
  });
});

describe("F: browsers", () => {
  test.each<Record<string, string>>([
    { origin: "https://evil.example" },
    { origin: "null" },
    { origin: "https://evil.example", "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
  ])("H048: a write with a token from another page is refused: %j", async (headers) => {
    const title = JSON.stringify(headers);
    await suffer({ title, ...post("/kill", REASON, headers), status: [403], code: "CROSS_SITE" });
    await suffer({
      title,
      ...put("flags", '{"value":{"version":1},"reason":"x"}', headers),
      status: [403],
      code: "CROSS_SITE",
    });
    for (const { name, ask } of hosts.all) {
      const read = await ask({ ...get("/audit"), headers: { ...authorized, ...headers } });
      expect([name, read.status, read.headers["access-control-allow-origin"]]).toStrictEqual([name, 200, undefined]);
    }
  });
});

describe("G: bodies", () => {
  const deep = (levels: number) => `{"reason":"x","flags":${"[".repeat(levels)}${"]".repeat(levels)}}`;
  const flags = (count: number) =>
    JSON.stringify({ reason: "x", flags: Array.from({ length: count }, (_, at) => `f${at}`) });
  /** Names of one and the same hash, wherever a hash is a polynomial of 31. */
  const colliding = (count: number) => {
    const name = (at: number) => Array.from({ length: 17 }, (_, bit) => ((at >> bit) & 1 ? "BB" : "Aa")).join("");
    return `{"reason":"x",${Array.from({ length: count }, (_, at) => `"${name(at)}":0`).join(",")}}`;
  };
  const reason = (text: string) => `{"reason":"${text}"}`;
  test.each<Hostile>([
    { title: "H058: a byte too many", ...post("/kill", REASON.padEnd(LIMIT + 1)), status: [413] },
    { title: "H060: gzip", ...post("/kill", REASON, { "content-encoding": "gzip" }), status: [415] },
    { title: "H060: nested encodings", ...post("/kill", REASON, { "content-encoding": "br, deflate" }), status: [415] },
    {
      title: "another encoding of characters",
      ...post("/kill", REASON, { "content-type": "application/json; charset=utf-16" }),
      status: [415],
    },
    { title: "another type", ...post("/kill", REASON, { "content-type": "text/plain" }), status: [415] },
    { title: "H062: 10,000 flags", ...post("/kill", flags(10_000)), status: [413, 422] },
    { title: "H062: 1,001 flags", ...post("/kill", flags(1_001)), status: [422] },
    { title: "H062: one name of 60,000 characters", ...post("/kill", `{"${"k".repeat(60_000)}":1}`), status: [422] },
    { title: "H062: a name 5,000 times", ...post("/kill", `{${'"reason":"x",'.repeat(4_000)}"a":1}`), status: [422] },
    { title: "H072: 1,500 names of one hash", ...post("/kill", colliding(1_500)), status: [422] },
    { title: "H072: 20,000 of them where a megabyte is taken", ...post("/restore", colliding(20_000)), status: [422] },
    { title: "a level too deep", ...post("/kill", deep(40)), status: [422] },
    { title: "H078: 30,000 levels", ...post("/kill", deep(30_000)), status: [400, 422] },
    { title: "H064: 1e400", ...post("/kill", '{"reason":1e400}'), status: [400, 422] },
    { title: "H064: 10,000 digits", ...post("/kill", `{"reason":${"9".repeat(10_000)}}`), status: [400, 422] },
    {
      title: "H064: 76 digits that a double holds",
      ...put("flags", `{"value":{"a":${2n ** 250n}},"reason":"x"}`),
      status: [422],
    },
    {
      title: "H064: beyond what all hold",
      ...put("flags", '{"value":{"a":9007199254740993},"reason":"x"}'),
      status: [422],
    },
    { title: "H064: negative zero", ...put("flags", '{"value":{"a":-0},"reason":"x"}'), status: [422] },
    { title: "H064: hexadecimal", ...post("/kill", '{"reason":0x10}'), status: [400] },
    { title: "H066: two documents", ...post("/kill", `${REASON}${REASON}`), status: [400] },
    { title: "H066: a comment", ...post("/kill", `/**/${REASON}`), status: [400] },
    { title: "H066: a comma", ...post("/kill", '{"reason":"x",}'), status: [400] },
    { title: "H066: single quotes", ...post("/kill", "{'reason':'x'}"), status: [400] },
    { title: "a mark of byte order", ...post("/kill", `\ufeff${REASON}`), status: [400] },
    ...["", "null", "true", '"x"', "[]", "7"].map((body) => ({
      title: `H068: ${JSON.stringify(body)}`,
      ...post("/kill", body),
      status: [400, 422],
    })),
    { title: "no reason", ...post("/kill", "{}"), status: [422] },
    { title: "an empty reason", ...post("/kill", reason("")), status: [422] },
    { title: "a reason of blanks", ...post("/kill", reason(" \\n\\t ")), status: [422] },
    { title: "a reason that nobody can see", ...post("/kill", reason("\\u0000\\u200b\\u202e\\ufeff")), status: [422] },
    { title: "H050: a reason of 501 bytes", ...post("/kill", reason("a".repeat(501))), status: [422] },
    { title: "H096: half a surrogate", ...post("/kill", reason("\\ud800")), status: [400] },
    { title: "no list of flags", ...post("/kill", '{"reason":"x","flags":"a"}'), status: [422] },
    { title: "null for all flags", ...post("/kill", '{"reason":"x","flags":null}'), status: [422] },
    {
      title: "null for a token of all tenants",
      ...post("/tokens", '{"label":"x","role":"viewer","reason":"x","tenant":null}'),
      status: [422],
    },
    { title: "an empty list", ...post("/kill", '{"reason":"x","flags":[]}'), status: [422] },
    { title: "an empty name", ...post("/kill", '{"reason":"x","flags":[""]}'), status: [422] },
    {
      title: "a state that is none",
      ...post("/circuits/primary/hold", '{"reason":"x","state":"half"}'),
      status: [422],
    },
    { title: "no state", ...post("/circuits/primary/hold", REASON), status: [422] },
    { title: "all that is no boolean", ...post("/pools/primary/drain", '{"reason":"x","all":1}'), status: [422] },
  ])("$title", async (hostile) => {
    await suffer(hostile);
  });

  test.each<Hostile>([
    { title: "none", ...put("flags", "{}", { "if-match": "" }), status: [400, 428] },
    {
      title: "another",
      ...put("flags", '{"value":{"version":1},"reason":"x"}', { "if-match": '"99"' }),
      status: [412],
    },
    {
      title: "a weak one",
      ...put("flags", '{"value":{"version":1},"reason":"x"}', { "if-match": 'W/"1"' }),
      status: [412],
    },
    {
      title: "a list of others",
      ...put("flags", '{"value":{"version":1},"reason":"x"}', { "if-match": '"8", "9"' }),
      status: [412],
    },
    { title: "17 of them", ...put("flags", "{}", { "if-match": Array(17).fill('"1"').join(",") }), status: [400] },
    { title: "a star in a list", ...put("flags", "{}", { "if-match": '*, "1"' }), status: [400] },
    {
      title: "20 digits",
      ...put("flags", '{"value":{"version":1},"reason":"x"}', { "if-match": '"99999999999999999999"' }),
      status: [412],
    },
  ])("H070: If-Match: $title", async (hostile) => {
    await suffer(hostile);
  });

  test.each(["-1", "1e3", "", "1.5", "%31", "99999999999999999999", "x", "١"])(
    "the number %j of the query",
    async (text) => {
      for (const path of ["/audit?before=", "/audit?limit=", "/audit/verify?from="]) {
        await suffer({ title: text, ...get(`${path}${encodeURI(text)}`), status: [400], code: "QUERY_INVALID" });
      }
    },
  );

  test("a page before the first record, and a look beyond the last, are empty", async () => {
    for (const path of ["/audit?before=0", "/audit?before=1", "/audit/verify?from=9007199254740991"]) {
      for (const { body } of await suffer({ title: path, ...get(path), status: [200] })) {
        const { records } = JSON.parse(body) as { records: unknown };
        expect(Array.isArray(records) ? records.length : records, path).toBe(0);
      }
    }
  });

  test("H058: a body that says another length than it has, has no end, or comes slowly, harms nobody", async () => {
    const head = (more: string) =>
      `POST /admin/api/kill HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${TOKEN}\r\ncontent-type: application/json\r\n${more}\r\n\r\n`;
    for (const { port } of hosts.all) {
      for (const text of [
        `${head("content-length: 100")}{"rea`,
        `${head("transfer-encoding: chunked")}5\r\n{"rea\r\n`,
      ]) {
        await new Promise<void>((resolve) => {
          const socket = connect(port, "127.0.0.1", () => socket.write(text));
          setTimeout(() => socket.destroy(), 50);
          socket.on("close", () => resolve());
          socket.on("error", () => resolve());
        });
      }
    }
    await suffer({ title: "afterwards", ...get("/orders/kill"), status: [200] });
  });
});

describe("H and I: prototypes and settings", () => {
  const config = (value: string): Asked => put("config", `{"value":${value},"reason":"x"}`);
  test.each<Hostile>([
    {
      title: "H074: __proto__ at the top",
      ...post("/kill", '{"reason":"x","__proto__":{"polluted":1}}'),
      status: [422],
    },
    { title: "H074: escaped", ...post("/kill", '{"reason":"x","\\u005f_proto__":{}}'), status: [422] },
    { title: "H074: constructor", ...post("/kill", '{"reason":"x","constructor":{"prototype":{}}}'), status: [422] },
    { title: "H074: deep in settings", ...config('{"retry":{"__proto__":{"attempts":1}}}'), status: [422] },
    { title: "H074: prototype in settings", ...config('{"retry":{"prototype":1}}'), status: [422] },
    { title: "H076: toString", ...config('{"toString":1}'), status: [422] },
    {
      title: "H084: more at least than at most",
      ...config('{"connectionPool":{"minConnections":9,"maxConnections":2}}'),
      status: [422],
    },
    { title: "H084: nothing in half-open", ...config('{"circuitBreaker":{"halfOpenMaxCalls":0}}'), status: [422] },
    { title: "H086: a cache of 1e12", ...config('{"queryCache":{"maxSize":1000000000000}}'), status: [422] },
    { title: "H090: a letter too few", ...config('{"retri":{"attempts":3}}'), status: [422] },
  ])("$title", async (hostile) => {
    await suffer(hostile);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe("idempotency keys", () => {
  test.each(["a b", "a\tb", "é", "k".repeat(129), "a, b"])("%j is none", async (key) => {
    const asked = post("/kill", REASON, { "idempotency-key": key });
    await suffer({ title: key, ...asked, status: [400], code: "IDEMPOTENCY_KEY_MALFORMED" });
  });

  test("one of 128 characters is taken once, refused with another body, and answered again", async () => {
    const key = { "idempotency-key": "k".repeat(128) };
    for (const { name, ask } of hosts.all) {
      const asked = post("/circuits/primary/reset", REASON, key);
      const both = await Promise.all([ask(asked), ask(asked)]);
      expect([name, ...both.map(({ status }) => status)]).toStrictEqual([name, 200, 200]);
      expect(both[0]?.body).toBe(both[1]?.body);
      expect(await invariants.get(name)?.broken(asked, await ask(asked), { mayChange: true })).toStrictEqual([]);
    }
    const another = post("/circuits/primary/reset", '{"reason":"another"}', key);
    await suffer({ title: "another body", ...another, status: [422], code: "IDEMPOTENCY_KEY_REUSED" });
    const again = await suffer({ title: "again", ...post("/circuits/primary/reset", REASON, key), status: [200] });
    for (const { headers } of again) expect(headers["idempotency-replayed"]).toBe("true");
  });
});

describe("L: at once, and too much", () => {
  test("H112: of many operators at once nobody's flag is lost, and each has one record", async () => {
    for (const { name, ask } of hosts.all) {
      const flags = Array.from({ length: 8 }, (_, at) => `at once ${at}`);
      const all = await Promise.all(
        flags.map((flag) => ask(post("/kill", JSON.stringify({ reason: flag, flags: [flag] })))),
      );
      for (const { status } of all) expect([200, 503], name).toContain(status);
      const order = JSON.parse((await ask(get("/orders/kill"))).body) as { value: { flags: string[] } };
      const { records } = JSON.parse((await ask(get("/audit?limit=100"))).body) as { records: { reason: string }[] };
      for (const [at, { status }] of all.entries()) {
        const flag = flags[at] as string;
        expect(order.value.flags.filter((each) => each === flag).length, name).toBe(status === 200 ? 1 : 0);
        expect(records.filter(({ reason }) => reason === flag).length, name).toBe(status === 200 ? 1 : 0);
      }
      const asked = get("/audit/verify");
      expect(await invariants.get(name)?.broken(asked, await ask(asked), { mayChange: true })).toStrictEqual([]);
    }
  });

  test("H050: markup, controls and letters that run backwards in a reason come back as they were sent", async () => {
    const reason = "<img src=x onerror=alert(1)> \u0000\u0007\u001b[31m \u202eevil {{7*7}} \u2028";
    for (const { name, ask } of hosts.all) {
      const asked = post("/kill", JSON.stringify({ reason, flags: ["a"] }));
      const answer = await ask(asked);
      expect([name, answer.status, JSON.parse(answer.body).reason]).toStrictEqual([name, 200, reason]);
      expect(answer.headers["x-content-type-options"]).toBe("nosniff");
      expect(await invariants.get(name)?.broken({ path: asked.path }, answer, { mayChange: true })).toStrictEqual([]);
    }
  });

  test("H088: of rapid writes those above the limit get 429 and when to come again, and the kill switch still works", async () => {
    for (const { name, ask } of hosts.all) {
      const statuses: number[] = [];
      let limited: Answered | undefined;
      for (let sent = 0; sent < 500 && limited === undefined; sent += 10) {
        const all = await Promise.all(
          Array.from({ length: 10 }, () => ask(put("flags", '{"value":{"version":1},"reason":"x"}'))),
        );
        statuses.push(...all.map(({ status }) => status));
        limited = all.find(({ status }) => status === 429);
      }
      expect(Number(limited?.headers["retry-after"]), `${name}: ${statuses.join()}`).toBeGreaterThan(0);
      for (const status of statuses) expect([200, 409, 412, 429, 503], name).toContain(status);
      const { value } = JSON.parse((await ask(get("/orders/flags"))).body) as { value: unknown };
      expect(value).toStrictEqual({ version: 1 });
      expect([name, (await ask(post("/kill", REASON))).status]).toStrictEqual([name, 200]);
      const verified = JSON.parse((await ask(get("/audit/verify"))).body) as { isWhole: boolean };
      expect([name, verified.isWhole]).toStrictEqual([name, true]);
    }
  });
});
