// Hostile inputs to what lets into the admin routes, on both hosts: tokens, the word of Cloudflare Access, roles, and pages of
// others. After each of them the invariants of tests/support/invariants.mjs hold.
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { Invariants } from "../support/invariants.mjs";
import { claimsOf, keyPair, type Pair, part, publish, signed } from "./access-keys.ts";
import { CERTS, KINDS, type Kind, type Site, startNodeSite, startWorkerSite, TOKEN } from "./auth-sites.ts";
import type { Answered, Asked } from "./hosts.ts";

const ROLES = ["viewer", "operator", "admin"] as const;
type Role = (typeof ROLES)[number];
const HEADER = "cf-access-jwt-assertion";
const READ = "/admin/api/openapi.json";
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const json = { "content-type": "application/json" };
const codeOf = ({ body }: Answered) => (JSON.parse(body) as { code?: string }).code;

let sites: Site[] = [];
let own: Pair;
let foreign: Pair;
/** Of each site, a token of each role, and one that is bound to a tenant. */
const tokens = new Map<string, Record<Role | "tenant", string>>();
const invariants = new Map<string, Invariants>();

async function made(site: Site, wanted: Record<string, unknown>): Promise<{ token: { id: string }; secret: string }> {
  const body = JSON.stringify({ label: "a test", role: "viewer", reason: "a test", ...wanted });
  const answer = await site.ask({
    method: "POST",
    path: "/admin/api/tokens",
    headers: { ...bearer(TOKEN), ...json },
    body,
  });
  expect(answer.status, answer.body).toBe(201);
  return JSON.parse(answer.body) as { token: { id: string }; secret: string };
}

/** Everything that is stored of orders and records. */
async function stateOf({ store }: Site): Promise<string> {
  const keys = [...(await store.list("orders/")), ...(await store.list("audit/"))];
  return JSON.stringify(await Promise.all(keys.map(async (key) => [key, await store.read(key)])));
}

beforeAll(async () => {
  [own, foreign] = await Promise.all([keyPair("own"), keyPair("own")]);
  sites = [await startWorkerSite(), await startNodeSite()];
  for (const site of sites) {
    publish(site.outside, [own]);
    const secrets = {} as Record<Role | "tenant", string>;
    for (const role of ROLES) secrets[role] = (await made(site, { role })).secret;
    secrets.tenant = (await made(site, { role: "admin", tenant: "a" })).secret;
    tokens.set(site.name, secrets);
    // Every route and class of status that these tests lead to has its series from the start.
    for (const headers of [{}, bearer(TOKEN)]) {
      for (const path of [
        READ,
        "/admin/api/tokens",
        "/admin/api/orders/kill",
        "/admin/api/orders/phase",
        "/admin/api/no",
      ]) {
        for (const method of ["GET", "PUT", "POST"]) {
          await site.ask({ method, path, headers, ...(method !== "GET" && { body: "{" }) });
        }
      }
    }
    for (const kind of KINDS) await site.ask({ path: "/api/health/live" }, kind);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const watch = {
      secrets: [TOKEN, ...Object.values(secrets)],
      state: () => stateOf(site),
      metrics: "/api/health/metrics?names=canonical",
    };
    invariants.set(site.name, await new Invariants((asked) => site.ask(asked), watch).begin());
  }
}, 120_000);

beforeEach(() => {
  for (const { outside } of sites) {
    outside.reset();
    publish(outside, [own]);
  }
});

afterAll(async () => {
  for (const site of sites) await site.stop();
});

interface Suffered extends Asked {
  kind?: Kind;
  status: number;
  code?: string;
  mayFail?: boolean;
  mayChange?: boolean;
}

/** Sends one to a site, and holds it to what is expected and to the invariants. */
async function suffer(site: Site, { kind = "open", status, code, mayFail, mayChange, ...asked }: Suffered) {
  const answer = await site.ask(asked, kind);
  const about = `${site.name} ${kind} ${asked.method ?? "GET"} ${asked.path}: ${answer.body.slice(0, 300)}`;
  expect(answer.status, about).toBe(status);
  if (code !== undefined) expect(codeOf(answer), about).toBe(code);
  const allowed = { mayFail: mayFail ?? false, mayChange: mayChange ?? false };
  expect(await invariants.get(site.name)?.broken(asked, answer, allowed), about).toStrictEqual([]);
  return answer;
}

describe("tokens", () => {
  test("SEC-05: (H018, H020, H022) whatever is not exactly a token gets the same 401", async () => {
    for (const site of sites) {
      const { admin } = tokens.get(site.name) as Record<Role, string>;
      const bodies = new Set<string>();
      const wrong: (Record<string, string> | undefined)[] = [undefined, { authorization: "" }];
      for (const token of [TOKEN, admin]) {
        wrong.push(
          ...[`Basic ${token}`, `Bearer  ${token}`, `Bearer\t${token}`, token, `Bearer ${token.toUpperCase()}`].map(
            (authorization) => ({ authorization }),
          ),
          ...[`${token}\u00a0`, `${token}=`, token.slice(0, -1), `${token}, Bearer x`, `x, Bearer ${token}`].map(
            bearer,
          ),
        );
      }
      wrong.push(
        ...["Bearer", "bearer x", "Bearer null", "Bearer lrk_", "Bearer lrk__"].map((authorization) => ({
          authorization,
        })),
      );
      wrong.push(bearer(`lrk_000000000000_${"A".repeat(43)}`));
      for (const headers of wrong) {
        const answer = await suffer(site, { path: READ, ...(headers && { headers }), status: 401 });
        expect(answer.headers["www-authenticate"], JSON.stringify(headers)).toBe("Bearer");
        bodies.add(answer.body);
      }
      expect(bodies.size).toBe(1);
      for (const token of [TOKEN, admin]) await suffer(site, { path: READ, headers: bearer(token), status: 200 });
    }
  });

  test("H024: where nothing is configured everything is closed, but tokens that are stored let in", async () => {
    for (const site of sites) {
      const { admin } = tokens.get(site.name) as Record<Role, string>;
      for (const headers of [{}, bearer(TOKEN), bearer(admin), bearer("null"), bearer("")]) {
        await suffer(site, {
          kind: "shut",
          path: READ,
          headers,
          status: 503,
          code: "ADMIN_NOT_CONFIGURED",
          mayFail: true,
        });
      }
      await suffer(site, { kind: "tokens", path: READ, headers: bearer(admin), status: 200 });
      await suffer(site, {
        kind: "tokens",
        path: READ,
        headers: bearer(`lrk_000000000000_${"A".repeat(43)}`),
        status: 401,
      });
      await suffer(site, { kind: "tokens", path: READ, headers: bearer(TOKEN), status: 503, mayFail: true });
    }
  });

  test("H026: a token that was revoked, has expired or is not yet valid lets nobody in, in any isolate", async () => {
    for (const site of sites) {
      const { token, secret } = await made(site, { role: "operator" });
      const ask: Suffered = { path: READ, headers: bearer(secret), status: 200, mayChange: true };
      await suffer(site, ask);
      await suffer(site, { ...ask, kind: "tokens" });
      const body = JSON.stringify({ reason: "lost" });
      const path = `/admin/api/tokens/${token.id}`;
      const revoked = await site.ask({ method: "DELETE", path, headers: { ...bearer(TOKEN), ...json }, body });
      expect([revoked.status, JSON.parse(revoked.body).token.state]).toStrictEqual([200, "revoked"]);
      await suffer(site, { ...ask, status: 401 });
      await suffer(site, { ...ask, kind: "tokens", status: 401 });
      const later = await made(site, { notBeforeMs: Date.now() + 3_600_000 });
      await suffer(site, { ...ask, headers: bearer(later.secret), status: 401 });
      // One that holds for a moment is let in for as long, and by no isolate after it.
      const expiresAtMs = Date.now() + 8_000;
      const short = await made(site, { expiresAtMs });
      const expired: Suffered = { ...ask, headers: bearer(short.secret), status: 401 };
      await suffer(site, { ...expired, status: 200 });
      await vi.waitUntil(() => Date.now() > expiresAtMs, { timeout: 30_000, interval: 50 });
      await suffer(site, expired);
      await suffer(site, { ...expired, kind: "tokens" });
    }
  });

  test("SEC-04 and SEC-05: a token is shown once, in nothing that is stored, and each change has a record", async () => {
    for (const site of sites) {
      const { token, secret } = await made(site, { label: "shown once" });
      const headers = { ...bearer(TOKEN), ...json };
      const path = `/admin/api/tokens/${token.id}/rotate`;
      const rotated = await site.ask({
        method: "POST",
        path,
        headers,
        body: JSON.stringify({ overlapMs: 0, reason: "a test" }),
      });
      const next = (JSON.parse(rotated.body) as { secret: string }).secret;
      const old: Suffered = { path: READ, headers: bearer(secret), status: 401, mayChange: true };
      await suffer(site, old);
      await suffer(site, { ...old, headers: bearer(next), status: 200 });
      const listed = await site.ask({ path: "/admin/api/tokens", headers });
      const stored = await stateOf(site);
      for (const text of [listed.body, stored]) {
        expect(text).not.toContain(secret.slice(17));
        expect(text).not.toContain(next.slice(17));
      }
      const order = (await site.store.read("orders/tokens")) ?? "";
      const digests = [...order.matchAll(/"sha256":"([0-9a-f]{64})"/g)].slice(1).map((found) => found[1] as string);
      expect(digests.length).toBeGreaterThan(3);
      const records = await Promise.all((await site.store.list("audit/0")).map((key) => site.store.read(key)));
      for (const digest of digests) expect(`${listed.body}${records.join()}`).not.toContain(digest);
      expect(records.filter((record) => record?.includes(`tokens/${token.id}`)).length).toBe(2);
      expect((await site.ask({ path: "/admin/api/orders/tokens", headers })).status).toBe(404);
    }
  });

  test("a repeated request makes no second token, and is not told the secret again", async () => {
    for (const site of sites) {
      const headers = { ...bearer(TOKEN), ...json, "idempotency-key": "the-same-key" };
      const body = JSON.stringify({ label: "once", role: "viewer", reason: "a test" });
      const asked = { method: "POST", path: "/admin/api/tokens", headers, body };
      const [first, second] = [await site.ask(asked), await site.ask(asked)];
      expect([first.status, second.status, second.headers["idempotency-replayed"]]).toStrictEqual([201, 201, "true"]);
      const { secret, token } = JSON.parse(first.body) as { secret: string; token: { id: string } };
      expect(JSON.parse(second.body)).toStrictEqual({ token });
      for (const key of await site.store.list("idempotency/")) expect(await site.store.read(key)).not.toContain(secret);
    }
  });

  test("H028: whatever the stored digests are replaced by, all tokens are refused and the admin token goes on", async () => {
    for (const site of sites) {
      const { admin } = tokens.get(site.name) as Record<Role, string>;
      const sound = (await site.store.read("orders/tokens")) as string;
      const replace = async (expected: string, text: string) =>
        expect(await site.store.swap([{ key: "orders/tokens", expected, text }])).toBe(true);
      for (const text of [
        "",
        "null",
        "{}",
        "garbage",
        sound.slice(0, -2),
        sound.replace(/"role":"viewer"/, '"role":"admin"'),
      ]) {
        await replace(sound, text);
        await suffer(site, { path: READ, headers: bearer(admin), status: 401, mayChange: true });
        await suffer(site, { path: READ, headers: bearer(TOKEN), status: 200, mayChange: true });
        await replace(text, sound);
      }
      await suffer(site, { path: READ, headers: bearer(admin), status: 200, mayChange: true });
    }
  });

  test("SEC-08: (H030) guesses are counted in one bucket, whoever they say they are, and the right token is let in", async () => {
    for (const site of sites) {
      const counts: Record<number, number> = {};
      let last: Answered | undefined;
      for (let number = 0; number < 40; number += 1) {
        const address = `203.0.113.${number}`;
        const spoofed = ["cf-connecting-ip", "x-forwarded-for", "x-real-ip", "true-client-ip"].map((name) => [
          name,
          address,
        ]);
        const token = `lrk_${number.toString(16).padStart(12, "0")}_${"A".repeat(43)}`;
        const headers = { ...bearer(token), ...Object.fromEntries(spoofed) };
        last = await site.ask({ path: READ, headers }, "limited");
        counts[last.status] = (counts[last.status] ?? 0) + 1;
      }
      // One more for each three seconds that this took.
      expect(counts[401]).toBeGreaterThanOrEqual(20);
      expect(counts[429]).toBeGreaterThan(5);
      expect(Number(last?.headers["retry-after"])).toBeGreaterThanOrEqual(1);
      await suffer(site, { kind: "limited", path: READ, headers: bearer(TOKEN), status: 200 });
      // It tells of them within its second.
      let body = "";
      const failures = (reason: string) =>
        Number(new RegExp(`^seawall_admin_auth_failures_total\\{reason="${reason}"\\} (\\d+)`, "m").exec(body)?.[1]);
      await vi.waitUntil(
        async () => {
          body = (await site.ask({ path: "/api/health/metrics?names=canonical" }, "limited")).body;
          return failures("limited") >= (counts[429] as number);
        },
        { timeout: 30_000, interval: 200 },
      );
      expect(failures("token")).toBeGreaterThanOrEqual(counts[401] as number);
    }
  });
});

describe("Cloudflare Access", () => {
  const asked = (assertion: string, headers: Record<string, string> = {}): Asked => ({
    path: READ,
    headers: { [HEADER]: assertion, ...headers },
  });

  test("SEC-05: lets in whom it names, by a key that is fetched once, from the team's address alone", async () => {
    for (const site of sites) {
      for (const [email, status] of [
        ["ada@example.com", 200],
        ["EVE@example.com", 200],
        ["mallory@example.com", 403],
      ] as const) {
        await suffer(site, { ...asked(await signed(own, JSON.stringify(claimsOf(email)))), status });
      }
      expect(site.outside.left.every(({ url }) => url === CERTS)).toBe(true);
      expect(site.outside.left.length).toBeLessThanOrEqual(1);
    }
  });

  test("H032 and H034: another audience, issuer or time is refused, whatever its type", async () => {
    const now = Math.floor(Date.now() / 1_000);
    const wrong: Record<string, unknown>[] = [
      { aud: ["other"] },
      { aud: "other" },
      { aud: [] },
      { aud: "" },
      { aud: undefined },
      { iss: "https://evil.cloudflareaccess.com" },
      { exp: now - 120 },
      { nbf: now + 600 },
      { iat: now + 600 },
      { exp: "9999999999" },
      { exp: -1 },
      { exp: undefined },
    ];
    for (const site of sites) {
      for (const changes of wrong) {
        const text = await signed(own, JSON.stringify(claimsOf("ada@example.com", changes)));
        await suffer(site, { ...asked(text), status: 403, code: "ASSERTION_REFUSED" });
      }
      const huge = JSON.stringify(claimsOf("ada@example.com", { exp: 7 })).replace('"exp":7', '"exp":1e400');
      await suffer(site, { ...asked(await signed(own, huge)), status: 403, code: "ASSERTION_REFUSED" });
      const one = JSON.stringify(claimsOf("ada@example.com", { aud: "aud-of-these-tests" }));
      await suffer(site, { ...asked(await signed(own, one)), status: 200 });
    }
  });

  test("H036: where a key could be is never fetched, and no other algorithm is taken", async () => {
    const evil = "https://evil.example/keys";
    const headers: Record<string, unknown>[] = [
      { jku: evil },
      { x5u: evil },
      { jwk: foreign.jwk },
      { crit: ["exp"] },
      { alg: "none" },
      { alg: "HS256" },
      { kid: "../own" },
      { kid: undefined },
    ];
    const claims = JSON.stringify(claimsOf("ada@example.com"));
    for (const site of sites) {
      for (const header of headers) {
        for (const pair of [own, foreign]) {
          const text = await signed(pair, claims, JSON.stringify({ alg: "RS256", kid: "own", ...header }));
          await suffer(site, { ...asked(text), status: 403, code: "ASSERTION_REFUSED" });
        }
      }
      expect(site.outside.left.filter(({ url }) => url !== CERTS)).toStrictEqual([]);
    }
  });

  test("a signature by another key, or of other words, is refused", async () => {
    const claims = JSON.stringify(claimsOf("ada@example.com"));
    for (const site of sites) {
      await suffer(site, { ...asked(await signed(foreign, claims)), status: 403, code: "ASSERTION_REFUSED" });
      const eve = await signed(own, JSON.stringify(claimsOf("eve@example.com")));
      const [head, , signature] = eve.split(".");
      await suffer(site, { ...asked(`${head}.${part(claims)}.${signature}`), status: 403 });
      await suffer(site, { ...asked(`${head}.${part(claims)}.`), status: 403 });
    }
  });

  test("H038: another form is refused", async () => {
    const claims = JSON.stringify(claimsOf("ada@example.com"));
    const good = await signed(own, claims);
    const [head = "", body = "", signature = ""] = good.split(".");
    const twice = await signed(own, claims.replace("{", '{"email":"ada@example.com",'));
    const standard = Buffer.from(signature, "base64url").toString("base64");
    const wrong = [
      `${good}.${signature}`,
      `${head}.${body}`,
      `${good}=`,
      `${head}=.${body}.${signature}`,
      `${head}.${body}.${standard}`,
    ];
    for (const site of sites) {
      for (const text of [...wrong, twice, "x", `${head}.${body}.${"A".repeat(40_000)}`]) {
        await suffer(site, { ...asked(text), status: 403, code: "ASSERTION_REFUSED" });
      }
    }
  });

  test("H040: a wrong token is wrong whatever Access says", async () => {
    const good = await signed(own, JSON.stringify(claimsOf("ada@example.com")));
    for (const site of sites) {
      for (const authorization of ["Bearer x", "Basic x", `Bearer lrk_000000000000_${"A".repeat(43)}`]) {
        await suffer(site, { ...asked(good, { authorization }), status: 401 });
      }
      await suffer(site, { ...asked("garbage", bearer(TOKEN)), status: 200 });
    }
  });

  test("H048: a write that another page may have sent is refused", async () => {
    const good = await signed(own, JSON.stringify(claimsOf("ada@example.com")));
    for (const site of sites) {
      const right = { [HEADER]: good, ...json, origin: site.origin(), "x-seawall-request": "1", "if-match": '"999"' };
      const put = (change: Record<string, string>): Asked => ({
        method: "PUT",
        path: "/admin/api/orders/kill",
        headers: { ...right, ...change },
        body: JSON.stringify({ value: {}, reason: "a test" }),
      });
      const missing = (name: keyof typeof right) => {
        const { [name]: _, ...headers } = put({}).headers as typeof right;
        return { ...put({}), headers };
      };
      await suffer(site, { ...put({}), status: 412 });
      const wrong = [
        put({ origin: "https://evil.example" }),
        put({ origin: "null" }),
        put({ origin: `${site.origin()}.evil.example` }),
        put({ "x-seawall-request": "0" }),
        put({ "content-type": "text/plain" }),
        missing("origin"),
        missing("x-seawall-request"),
        missing("content-type"),
      ];
      for (const asked of wrong) {
        const headers = { ...asked.headers };
        // `fetch` would say that a text is one.
        if (headers["content-type"] === undefined) headers["content-type"] = "text/plain;charset=UTF-8";
        await suffer(site, { ...asked, headers, status: 403, code: "CROSS_SITE" });
      }
    }
  });
});

describe("roles", () => {
  test("SEC-03 and SEC-05: (H042) every operation is denied to whoever has not its role", async () => {
    for (const site of sites) {
      const all = tokens.get(site.name) as Record<Role | "tenant", string>;
      const document = JSON.parse((await site.ask({ path: READ, headers: bearer(TOKEN) })).body) as {
        paths: Record<string, Record<string, { operationId: string; "x-role"?: Role; "x-for-tenants"?: boolean }>>;
      };
      const before = await stateOf(site);
      let denied = 0;
      for (const [path, operations] of Object.entries(document.paths).filter(([path]) => path.startsWith("/admin/"))) {
        for (const [method, operation] of Object.entries(operations)) {
          // Beside the methods, what all of them take.
          if (method === "parameters") continue;
          const needed = ROLES.indexOf(operation["x-role"] as Role);
          expect(needed, operation.operationId).toBeGreaterThanOrEqual(0);
          const asked = { method: method.toUpperCase(), path: path.replaceAll(/\{\w+\}/g, "nothing") };
          // What no operation takes: it changes nothing where the role would allow it.
          const body = method === "get" ? {} : { body: "{" };
          const send = (headers: Record<string, string>) =>
            site.ask({ ...asked, headers: { ...json, ...headers }, ...body });
          const about = `${site.name} ${operation.operationId}`;
          expect((await send({})).status, about).toBe(401);
          for (const [index, role] of ROLES.entries()) {
            const answer = await send(bearer(all[role]));
            if (index < needed) {
              expect([answer.status, codeOf(answer)], `${about} ${role}`).toStrictEqual([403, "FORBIDDEN"]);
              denied += 1;
            } else {
              // Production has a rule of its own, whatever the role.
              if (codeOf(answer) === "PRODUCTION_NOT_APPROVED") continue;
              expect([401, 403], `${about} ${role}`).not.toContain(answer.status);
              expect(answer.status, `${about} ${role}: ${answer.body}`).toBeLessThan(500);
            }
          }
          if (operation["x-for-tenants"] !== true) {
            const answer = await send(bearer(all.tenant));
            expect([answer.status, codeOf(answer)], `${about} of a tenant`).toStrictEqual([404, "NOT_FOUND"]);
          }
        }
      }
      expect(denied).toBeGreaterThan(8);
      expect(await stateOf(site)).toBe(before);
    }
  }, 120_000);

  test("SEC-02: (H046) in production the phase moves only where that is approved", async () => {
    const put = {
      method: "PUT",
      path: "/admin/api/orders/phase",
      body: JSON.stringify({ value: {}, reason: "a test" }),
    };
    const headers = { ...bearer(TOKEN), ...json, "if-match": "*" };
    for (const site of sites) {
      await suffer(site, { ...put, headers, status: 403, code: "PRODUCTION_NOT_APPROVED" });
      await suffer(site, { ...put, headers, kind: "approved", status: 200, mayChange: true });
    }
  });
});

describe("headers", () => {
  test("H052 and H054: every response says that it is framed, guessed at and kept by nobody", async () => {
    for (const site of sites) {
      for (const [path, headers] of [
        [READ, bearer(TOKEN)],
        [READ, {}],
        ["/admin/api/<html>", bearer(TOKEN)],
        ["/admin/api/tokens", bearer(TOKEN)],
      ] as const) {
        const answer = await site.ask({ path, headers });
        expect(answer.headers, `${site.name} ${path}`).toMatchObject({
          "content-type": expect.stringMatching(/^application\/(problem\+)?json/),
          "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
          "x-content-type-options": "nosniff",
          "referrer-policy": "no-referrer",
          "cache-control": "no-store",
          "cross-origin-opener-policy": "same-origin",
          "cross-origin-resource-policy": "same-origin",
          "strict-transport-security": "max-age=31536000",
        });
      }
    }
  });
});
