// Orders at the deployable Worker in workerd: its Durable Object, KV behind it, and who is let in.
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Module } from "../support/workerd.mjs";
import { type Rig, startRig } from "./rig.ts";

const built = (name: string) => fileURLToPath(new URL(`../../build/${name}`, import.meta.url));
const modules: Module[] = [
  { type: "ESModule", path: "index.js", contents: readFileSync(built("index.js"), "utf8") },
  { type: "CompiledWasm", path: "index_bg.wasm", contents: new Uint8Array(readFileSync(built("index_bg.wasm"))) },
];
const TOKEN = "t0ken-of-the-operator-that-nobody-may-see";
const LIMIT = 65_536;

let rig: Rig;

beforeAll(async () => {
  rig = await startRig((url) => {
    const bindings = {
      TURSO_DATABASE_URL: url,
      SEAWALL_ADMIN_TOKEN: TOKEN,
      PRODUCTION_MIGRATION_APPROVED: "true",
    };
    const durableObjects = { SEAWALL_STORE: { className: "SeawallStore", useSQLite: true } };
    return {
      first: { modules, bindings, durableObjects, kvNamespaces: { SEAWALL_KV: "orders" } },
      unbound: { modules, bindings },
      closed: { modules, bindings: { TURSO_DATABASE_URL: url }, durableObjects },
    };
  });
});
afterAll(() => rig?.stop());

function ask(path: string, init: RequestInit & { worker?: string } = {}): Promise<Response> {
  const { worker = "first", headers, ...rest } = init;
  const given = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
  return rig.ask(worker, `/admin/api/orders/${path}`, { ...rest, headers: { ...given, ...(headers as object) } });
}

const put = (name: string, ifMatch: string, value: unknown) =>
  ask(name, {
    method: "PUT",
    headers: { "if-match": ifMatch },
    body: JSON.stringify({ value, reason: "a test" }),
  });

async function statusAndCode(response: Response): Promise<[number, string]> {
  return [response.status, ((await response.json()) as { code: string }).code];
}

/** Between two pieces of a body, in milliseconds. */
const PAUSE_MS = 20;

/** What is answered to a request that is written as it stands; the connection is left open by us. */
function raw(head: string, body: () => string | undefined): Promise<{ answer: string; sent: number }> {
  return new Promise((resolve, reject) => {
    let sent = 0;
    let answer = "";
    rig.miniflare.unsafeGetDirectURL("first").then(({ hostname, port }) => {
      const socket = connect(Number(port), hostname);
      // With pauses: what arrives after the server has closed resets the connection, and an answer that is not read by then is
      // lost with it.
      const write = () => {
        const chunk = socket.destroyed ? undefined : body();
        if (chunk === undefined) return;
        sent += chunk.length;
        socket.write(chunk, () => setTimeout(write, PAUSE_MS));
      };
      socket.once("connect", () => socket.write(head, write));
      socket.on("data", (chunk) => {
        answer += chunk;
        if (answer.includes("\r\n\r\n")) socket.destroy();
      });
      socket.on("error", () => {});
      socket.once("close", () => resolve({ answer, sent }));
    }, reject);
  });
}

describe("an operator", () => {
  test("gives an order, and replaces it who has read it", async () => {
    const before = await ask("kill");
    expect([before.status, before.headers.get("etag")]).toEqual([200, '"0"']);
    const first = await put("kill", '"0"', { flags: ["cache"] });
    expect([first.status, first.headers.get("etag")]).toEqual([200, '"1"']);
    expect(await (await ask("kill")).json()).toStrictEqual({
      name: "kill",
      version: 1,
      updatedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      by: "admin",
      reason: "a test",
      value: { flags: ["cache"] },
    });
    expect((await put("kill", '"1"', {})).status).toBe(200);
    const late = await put("kill", '"1"', {});
    expect(late.headers.get("etag")).toBe('"2"');
    expect(await late.json()).toMatchObject({
      code: "ORDER_CHANGED",
      status: 412,
      expectedVersion: 1,
      currentVersion: 2,
    });
    expect((await ask("kill", { headers: { "if-none-match": '"2"' } })).status).toBe(304);
    expect((await ask("kill", { method: "HEAD" })).headers.get("etag")).toBe('"2"');
  });

  test("H070: must say what is replaced", async () => {
    const body = JSON.stringify({ value: {}, reason: "a test" });
    expect(await statusAndCode(await ask("phase", { method: "PUT", body }))).toEqual([428, "PRECONDITION_REQUIRED"]);
    expect((await put("phase", "*", {})).status).toBe(200);
  });

  test("settings are held to the list of settings", async () => {
    expect((await put("config", "*", { retry: { attempts: 3 } })).status).toBe(200);
    const wrong = await put("config", "*", { retry: { attempts: -3 } });
    expect(wrong.status).toBe(422);
    expect(((await wrong.json()) as { detail: string }).detail).toContain("retry.attempts");
  });

  test("of many at once one wins each time, and the others are told", async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => put("flags", '"0"', { version: 1, revision: index })),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses[0]).toBe(200);
    expect(statuses.slice(1).every((status) => status === 409 || status === 412)).toBe(true);
    expect(((await (await ask("flags")).json()) as { version: number }).version).toBe(1);
  });
});

test("KV follows, and a reader of it never goes back", async () => {
  const kv = await rig.miniflare.getKVNamespace("SEAWALL_KV", "first");
  await put("phase", "*", { phase: "canary" });
  const old = await kv.get("seawall/orders/phase");
  await put("phase", "*", { phase: "gradual" });
  const { version } = (await (await ask("phase")).json()) as { version: number };
  expect(await kv.get("seawall/orders/phase")).toContain(`"version":${version},`);
  await kv.put("seawall/orders/phase", String(old ?? ""));
  const cached = (await (await ask("phase?cached=true")).json()) as { version: number };
  expect(cached.version).toBe(version);
  expect(await kv.get("seawall/orders/phase")).toContain(`"version":${version},`);
});

describe("who is not let in", () => {
  test("H018, H020 and H022: gets the same 401, whatever is sent", async () => {
    const wrong = ["", "Bearer", "Bearer ", "bearer x", `Basic ${TOKEN}`, `Bearer  ${TOKEN}`, `Bearer\t${TOKEN}`];
    wrong.push(`Bearer ${TOKEN.toUpperCase()}`, `Bearer ${TOKEN}, Bearer x`, `Bearer x, Bearer ${TOKEN}`);
    const bodies = new Set<string>();
    for (const authorization of wrong) {
      const response = await ask("kill", { headers: { authorization } });
      expect([response.status, response.headers.get("www-authenticate")], authorization).toEqual([401, "Bearer"]);
      bodies.add(await response.text());
    }
    expect(bodies.size).toBe(1);
    expect((await rig.ask("first", "/admin/api/nothing/here")).status).toBe(401);
  });

  test("H024: is everybody where no token is set", async () => {
    expect(await statusAndCode(await ask("kill", { worker: "closed" }))).toEqual([503, "ADMIN_NOT_CONFIGURED"]);
  });
});

test("a Worker without the Durable Object says what is missing, and does all else", async () => {
  const response = await ask("kill", { worker: "unbound" });
  expect(response.status).toBe(503);
  expect(((await response.json()) as { detail: string }).detail).toContain("bind the Durable Object SEAWALL_STORE");
  expect((await rig.ask("unbound", "/api/health/live")).status).toBe(200);
});

describe("bodies", () => {
  test("H058: more than the limit is refused, however it is said", async () => {
    const headers = { "if-match": "*" };
    const at = (length: number) => ask("kill", { method: "PUT", headers, body: "a".repeat(length) });
    expect(await statusAndCode(await at(LIMIT))).toEqual([400, "BODY_MALFORMED"]);
    expect(await statusAndCode(await at(LIMIT + 1))).toEqual([413, "BODY_TOO_LONG"]);
  });

  test("H058: a chunked body without an end is answered while it still comes", async () => {
    const head = [
      "PUT /admin/api/orders/flags HTTP/1.1",
      "host: localhost",
      `authorization: Bearer ${TOKEN}`,
      "content-type: application/json",
      "if-match: *",
      "transfer-encoding: chunked",
      "",
      "",
    ].join("\r\n");
    const chunk = `4000\r\n${"a".repeat(0x4000)}\r\n`;
    const { answer } = await raw(head, () => chunk);
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
  });

  test("H060: an encoded body is refused", async () => {
    for (const encoding of ["gzip", "br", "deflate, gzip"]) {
      const headers = { "if-match": "*", "content-encoding": encoding };
      const response = await ask("flags", { method: "PUT", headers, body: "\u001f\u008b" });
      expect(response.status, encoding).toBe(415);
    }
  });

  test("H062 to H068: what is no object, or is read in two ways, is refused", async () => {
    const headers = { "if-match": "*" };
    const table: [string | Uint8Array<ArrayBuffer>, number][] = [
      ["", 400],
      ["{} {}", 400],
      ["{'value':{}}", 400],
      ["\ufeff{}", 400],
      [new Uint8Array([0xff]), 400],
      ['{"value":{"a":1e400},"reason":"x"}', 400],
      ["null", 422],
      ["[]", 422],
      ['{"value":[],"reason":"x"}', 422],
      ['{"value":{"a":1,"a":2},"reason":"x"}', 422],
      ['{"value":{"__proto__":1},"reason":"x"}', 422],
      ['{"value":{"a":9007199254740993},"reason":"x"}', 422],
    ];
    for (const [body, status] of table) {
      expect((await ask("flags", { method: "PUT", headers, body })).status, String(body)).toBe(status);
    }
  });
});

test("nothing of the token is in the log", () => {
  expect(rig.log()).not.toContain(TOKEN);
});
