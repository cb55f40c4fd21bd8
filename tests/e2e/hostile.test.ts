// Hostile inputs to the health routes, on both hosts. After each of them the invariants of tests/support/invariants.mjs hold.
import { createServer } from "node:http";
import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { strongMemoryStore } from "../../js/src/store/memory.ts";
import { Invariants } from "../support/invariants.mjs";
import { type Answered, type Asked, type Host, type Hosts, SECRET, startHosts } from "./hosts.ts";
import { until } from "./rig.ts";

/** Nobody who asks here has it. */
const ADMIN_TOKEN = "an-admin-token-of-these-tests-that-nobody-guesses";

const authorized = { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" };
const ORDERS = ["config", "flags", "kill", "phase"];

let hosts: Hosts;
const invariants = new Map<string, Invariants>();

/** Everything that is stored of orders. */
async function stateOf({ ask }: Host): Promise<string> {
  const all = await Promise.all(
    ORDERS.map((name) => ask({ path: `/admin/api/orders/${name}`, headers: authorized }).then(({ body }) => body)),
  );
  return all.join("\n");
}

/** Leads to every route and class of status that these tests lead to, so that each has its series. */
async function warmUp({ ask, proxy }: Host): Promise<void> {
  const paths = ["/api/health", "/api/health/live", "/api/health/ready", "/api/health/score", "/api/status", "/nope"];
  for (const path of [...paths, "/admin/api/nothing"]) {
    for (const method of ["GET", "POST", "OPTIONS"]) await ask({ method, path });
  }
  for (const mode of [{ kind: "status", status: 500 }, { kind: "pass" }] as const) {
    await proxy.set(mode);
    const status = mode.kind === "pass" ? 200 : 503;
    await until(`it answers ${status}`, async () => (await ask({ path: "/api/health/ready" })).status === status);
    for (const path of paths) await ask({ path });
  }
}

beforeAll(async () => {
  const store = strongMemoryStore();
  hosts = await startHosts({ SEAWALL_ADMIN_TOKEN: ADMIN_TOKEN }, { adminToken: ADMIN_TOKEN, store });
  for (const host of hosts.all) {
    const { name, ask } = host;
    expect((await ask({ path: "/api/health" })).status).toBe(200);
    const body = JSON.stringify({ value: { flags: [] }, reason: "before" });
    const headers = { ...authorized, "if-match": "*" };
    const put = await ask({ method: "PUT", path: "/admin/api/orders/kill", headers, body });
    expect([put.status, name]).toStrictEqual([200, name]);
    await warmUp(host);
    const watch = {
      secrets: [SECRET, ADMIN_TOKEN],
      state: () => stateOf(host),
      metrics: "/api/health/metrics?names=canonical",
    };
    invariants.set(name, await new Invariants(ask, watch).begin());
  }
});

afterEach(async () => {
  for (const { proxy } of hosts.all) await proxy.set({ kind: "pass" });
});

afterAll(() => hosts?.stop());

interface Hostile extends Asked {
  title: string;
  /** Any of these. */
  status: number[];
  /** Headers that must be so; null for those that must not be there. */
  answers?: Record<string, string | null>;
  mayFail?: boolean;
}

/** Sends one to both hosts and holds them to what it says and to the invariants. */
async function suffer({ title, status, answers = {}, mayFail = false, ...asked }: Hostile): Promise<Answered[]> {
  const all = [];
  for (const { name, ask } of hosts.all) {
    const answer = await ask(asked);
    expect(status, `${name}: ${title}: ${answer.status} ${answer.body.slice(0, 200)}`).toContain(answer.status);
    for (const [header, value] of Object.entries(answers)) expect(answer.headers[header] ?? null, name).toBe(value);
    expect(await invariants.get(name)?.broken(asked, answer, { mayFail }), `${name}: ${title}`).toStrictEqual([]);
    all.push(answer);
  }
  return all;
}

describe("paths", () => {
  test.each<Hostile>([
    {
      title: "H002: dots in percents lead nowhere",
      path: "/api/health/%2e%2e/%2e%2e/admin/api/flags",
      status: [401, 404],
    },
    { title: "H002: nor do plain dots", path: "/api/health/../../admin/api/flags", status: [401, 404] },
    { title: "H002: nor an encoded slash", path: "/api%2fhealth", status: [404] },
    { title: "H004: a slash twice is another path", path: "//admin/api/flags", status: [401, 404] },
    { title: "H004: in the middle as well", path: "/admin//api/flags", status: [401, 404] },
    { title: "H004: and before a route that is there", path: "//api/health", status: [404] },
    { title: "H004: and within it", path: "/api//health", status: [404] },
    { title: "H006: backslashes", path: "/api\\admin\\api\\flags", status: [401, 404] },
    { title: "H008: a path of 30,000 characters", path: `/api/${"a".repeat(30_000)}`, status: [404, 414, 431] },
    {
      title: "H008: a thousand query parameters",
      path: `/api/health?${"a[]=1&".repeat(1_000)}a=3`,
      status: [200, 414],
    },
    { title: "H008: one parameter in three ways", path: "/api/health?a[]=1&a[]=2&a=3", status: [200] },
    { title: "another case is another path", path: "/API/health", status: [404] },
    { title: "a NUL in percents", path: "/api/health%00", status: [404] },
    { title: "a semicolon", path: "/api/health;a=b", status: [404] },
    { title: "names of prototypes", path: "/api/__proto__", status: [404] },
    { title: "a constructor", path: "/api/health/constructor", status: [404] },
    { title: "the alias of an alias", path: "/api/platform/platform/health", status: [404] },
  ])("$title", async (hostile) => {
    await suffer(hostile);
  });

  test("H008: a path of 70,000 characters is refused by the platform or by us, in a bounded answer", async () => {
    for (const { name, ask } of hosts.all) {
      const path = `/api/${"b".repeat(70_000)}`;
      const answer = await ask({ path }).catch((error: NodeJS.ErrnoException) => error);
      if (answer instanceof Error) expect(["ECONNRESET", "EPIPE"], name).toContain(answer.code);
      else expect([404, 414, 431], name).toContain(answer.status);
      expect((await ask({ path: "/api/health/live" })).status).toBe(200);
    }
    expect(hosts.log()).not.toContain("b".repeat(100));
  });

  test.each(["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Forwarded-Host", "Forwarded"])(
    "H010: %s is ignored",
    async (header) => {
      const headers = { [header]: "/admin/api/flags" };
      const answers = await suffer({ title: header, path: "/api/health", headers, status: [200] });
      for (const { body } of answers) expect(JSON.parse(body)).toMatchObject({ database: { connected: true } });
    },
  );
});

describe("methods", () => {
  const all = ["POST", "PUT", "PATCH", "DELETE"].flatMap((method) =>
    ["/api/health", "/api/health/live", "/api/health/ready", "/api/health/score"].map((path) => ({ method, path })),
  );

  test.each(all)("H012: $method $path is refused and told what is allowed", async ({ method, path }) => {
    await suffer({ title: method, method, path, status: [405], answers: { allow: "GET, HEAD" } });
  });

  test.each([{ headers: { "X-HTTP-Method-Override": "DELETE" } }, { headers: { "X-HTTP-Method": "PUT" } }, {}])(
    "H014: a method in a header or in the query is ignored: %j",
    async (hostile) => {
      await suffer({ title: "override", path: "/api/health/live?_method=DELETE", status: [200], ...hostile });
    },
  );

  test.each(["https://evil.example", "null", "https://app.example.com", ""])(
    "H016: OPTIONS from the origin %j gets no leave",
    async (origin) => {
      const headers = { origin, "access-control-request-method": "DELETE" };
      const answers = { "access-control-allow-origin": null, "access-control-allow-credentials": null };
      await suffer({ title: origin, method: "OPTIONS", path: "/api/health", headers, status: [204], answers });
    },
  );
});

describe("browsers", () => {
  test.each(["https://evil.example", "null"])(
    "H048: a GET from the origin %j may not be read there",
    async (origin) => {
      const headers = { origin, "sec-fetch-site": "cross-site" };
      const answers = { "access-control-allow-origin": null };
      await suffer({ title: origin, path: "/api/health", headers, status: [200], answers });
    },
  );

  test.each(["/api/health", "/api/health/live", "/api/status", "/api/<html><script>alert(1)</script>", "/nope"])(
    "H054: %s says what it is and is not to be guessed at",
    async (path) => {
      const sniffed = { "x-content-type-options": "nosniff" };
      const answers = await suffer({ title: path, path: encodeURI(path), status: [200, 404], answers: sniffed });
      for (const { headers, body } of answers) {
        expect(headers["content-type"]).toMatch(/^application\/(?:problem\+)?json/);
        expect(body).not.toContain("<script>");
      }
    },
  );
});

describe("headers", () => {
  test.each<Hostile>([
    {
      title: "H138: an Accept of 8,000 parts",
      path: "/api/health",
      headers: { accept: "a/b,".repeat(8_000) },
      status: [200, 431],
    },
    { title: "H138: nothing is acceptable", path: "/api/health", headers: { accept: "*/*;q=0" }, status: [200] },
    { title: "an Accept of garbage", path: "/api/health", headers: { accept: ";;q=,/;q=1e999,\u00ff" }, status: [200] },
    { title: "a body with a GET", path: "/api/health", headers: { "content-length": "0" }, status: [200] },
  ])("$title", async (hostile) => {
    await suffer(hostile);
  });

  test("a request that is cut in the middle harms nobody", async () => {
    for (const { name, port, ask } of hosts.all) {
      await new Promise<void>((resolve) => {
        const socket = connect(port, "127.0.0.1", () => {
          socket.write("POST /api/health HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nabc");
          setTimeout(() => socket.destroy(), 20);
        });
        socket.on("close", () => resolve());
        socket.on("error", () => resolve());
      });
      expect((await ask({ path: "/api/health/live" })).status, name).toBe(200);
    }
  });
});

describe("a database that is hostile", () => {
  const PAGE = `<html>\u001b[31m${SECRET} panicked at src/main.rs:1 ${"x".repeat(1_000_000)}</html>`;

  test("H150: what it says in an error is in no answer", async () => {
    for (const host of hosts.all) {
      await host.proxy.set({ kind: "status", status: 500, body: PAGE });
      await until("it is not ready", async () => (await host.ask({ path: "/api/health/ready" })).status === 503);
    }
    for (const path of ["/api/health", "/api/health/ready", "/api/health/score", "/api/status"]) {
      const answers = await suffer({ title: path, path, status: [200, 503], mayFail: true });
      for (const { body } of answers) {
        expect(body.length).toBeLessThan(5_000);
        for (const part of ["<html>", "\u001b", "xxxx"]) expect(body).not.toContain(part);
      }
    }
    expect(hosts.log()).not.toContain(SECRET);
  });

  test("H148: a redirect to another host is a failure, and the token does not follow it", async () => {
    let asked = 0;
    const elsewhere = createServer((_, response) => {
      asked += 1;
      response.end();
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
    const { port } = elsewhere.address() as { port: number };
    for (const host of hosts.all) {
      for (const status of [301, 302, 307]) {
        await host.proxy.set({ kind: "status", status, location: `http://localhost:${port}/` });
        await until("it is not ready", async () => (await host.ask({ path: "/api/health/ready" })).status === 503);
      }
    }
    expect(asked).toBe(0);
    await new Promise((resolve) => elsewhere.close(resolve));
  });

  test("H144: one that hangs is not ready, and everything lives at once", async () => {
    for (const host of hosts.all) {
      await host.proxy.set({ kind: "hang" });
      await until("it is not ready", async () => (await host.ask({ path: "/api/health/ready" })).status === 503);
      const live = await Promise.all(Array.from({ length: 20 }, () => host.ask({ path: "/api/health/live" })));
      expect(live.map(({ status }) => status)).toStrictEqual(Array(20).fill(200));
      expect((await host.ask({ path: "/api/health" })).status).toBe(503);
    }
  });
});
