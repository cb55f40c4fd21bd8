// Tokens that are replaced while work is in flight: a real server that asks for them, behind a gate that revokes them.
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "seawall";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { startSqld } from "../support/sqld.mjs";

const { publicKey, privateKey } = generateKeyPairSync("ed25519");
let tokens = 0;

/** Another token for all access. */
function newToken(key = privateKey): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  tokens += 1;
  const claims = { a: "rw", exp: Math.floor(Date.now() / 1_000) + 3_600, jti: `token-${tokens}` };
  const signed = `${encode({ alg: "EdDSA", typ: "JWT" })}.${encode(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), key).toString("base64url")}`;
}

let folder: string;
let sqld: Awaited<ReturnType<typeof startSqld>>;
let gate: Server;
let url: string;
/** Tokens that the gate refuses, and how often it did. */
const revoked = new Set<string>();
let refusals = 0;
let passed: (string | undefined)[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "seawall-key-"));
  const keyFile = join(folder, "public.pem");
  await writeFile(keyFile, publicKey.export({ type: "spki", format: "pem" }));
  sqld = await startSqld({ args: ["--auth-jwt-key-file", keyFile] });
  gate = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const token = request.headers.authorization?.replace("Bearer ", "");
    if (revoked.has(token ?? "")) {
      refusals += 1;
      response.writeHead(401).end("revoked");
      return;
    }
    passed.push(token);
    const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
    const answer = await fetch(`${sqld.url}${request.url}`, { method: "POST", headers, body: Buffer.concat(chunks) });
    response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "text/plain" });
    response.end(Buffer.from(await answer.arrayBuffer()));
  });
  await new Promise<void>((resolve) => gate.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(gate.address() as AddressInfo).port}`;
});
afterAll(async () => {
  gate?.closeAllConnections();
  gate?.close();
  await sqld?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Every way to send: Node's own client, and a `fetch`. */
const TRANSPORTS: [string, object][] = [
  ["node:http", {}],
  ["fetch", { fetch: (request: Request) => fetch(request) }],
];

let client: ReturnType<typeof createClient>;
let token: string;
beforeEach(() => {
  revoked.clear();
  refusals = 0;
  passed = [];
  token = newToken();
});
afterEach(() => client?.close());

const open = (transport: object) => {
  const seawall = { connectionPool: { maxConnections: 20, maxQueue: 1_000 }, retry: { attempts: 1 } };
  client = createClient({ url, authToken: token, ...transport, seawall } as never);
};

/** Replaces the token, and revokes the one before in the same moment. */
function rotate(): void {
  const before = token;
  token = newToken();
  client.seawall.rotateAuthToken(token);
  revoked.add(before);
}

test.each(TRANSPORTS)(
  "SEC-07: 200 operations at once over ten rotations, and none fails (%s)",
  async (name, transport) => {
    open(transport);
    const table = `rotated_${name.replace(/\W/g, "_")}`;
    await client.execute(`CREATE TABLE ${table} (a INTEGER PRIMARY KEY)`);
    let done = 0;
    const operation = async (number: number) => {
      if (number % 3 === 0) await client.execute("SELECT 1");
      else await client.execute({ sql: `INSERT INTO ${table} VALUES (?)`, args: [number] });
      done += 1;
      // In the midst of it all.
      if (done % 20 === 10) rotate();
    };
    const ended = await Promise.allSettled(Array.from({ length: 200 }, (_, number) => operation(number)));
    expect(ended.filter(({ status }) => status === "rejected")).toEqual([]);
    expect(revoked.size).toBe(10);
    expect(refusals, "some were on their way with a token that had just been revoked").toBeGreaterThan(0);
    expect(new Set(passed).size).toBeGreaterThan(5);
    const { rows } = await client.execute(`SELECT count(*) AS count FROM ${table}`);
    expect(rows[0]?.count, "no write was lost or doubled").toBe(133);
  },
);

test.each(TRANSPORTS)(
  "SEC-07: a transaction that is open goes on under the new token (%s)",
  async (name, transport) => {
    open(transport);
    const table = `open_${name.replace(/\W/g, "_")}`;
    await client.execute(`CREATE TABLE ${table} (a)`);
    const transaction = await client.transaction("write");
    await transaction.execute(`INSERT INTO ${table} VALUES (1)`);
    rotate();
    await transaction.execute(`INSERT INTO ${table} VALUES (2)`);
    await transaction.commit();
    expect((await client.execute(`SELECT count(*) AS count FROM ${table}`)).rows[0]?.count).toBe(2);
    expect(passed.at(-1)).toBe(token);
  },
);

test("SEC-07: a token that the server does not know fails what is asked, typed, and the next good one mends it", async () => {
  open({});
  await client.execute("CREATE TABLE mended (a)");
  const transaction = await client.transaction("write");
  await transaction.execute("INSERT INTO mended VALUES (1)");
  client.seawall.rotateAuthToken(newToken(generateKeyPairSync("ed25519").privateKey));
  const error = await client.execute("SELECT 1").then(
    () => expect.unreachable("it was accepted"),
    (thrown: unknown) => thrown,
  );
  expect(String(error)).toContain("401");
  const status = client.seawall.status();
  expect(status.breaker.state, "the settings are wrong, not the database").toBe("CLOSED");
  rotate();
  await transaction.commit();
  expect((await client.execute("SELECT count(*) AS count FROM mended")).rows[0]?.count).toBe(1);
});
