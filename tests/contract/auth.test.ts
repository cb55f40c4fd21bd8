// Credentials, on a real server that asks for them.
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startSqld } from "../support/sqld.mjs";
import { contractOffline, countOf, innermost, onlyValue, opened, prepare, rejection } from "./contract.ts";
import { singleAttempt } from "./subjects.ts";

const HOUR_S = 3_600;
const { publicKey, privateKey } = generateKeyPairSync("ed25519");
const stranger = generateKeyPairSync("ed25519").privateKey;

/** A token for `access`, which ends `lifeS` seconds from now. */
function token(access: "ro" | "rw", lifeS = HOUR_S, key: KeyObject = privateKey): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { a: access, exp: Math.floor(Date.now() / 1_000) + lifeS };
  const signed = `${encode({ alg: "EdDSA", typ: "JWT" })}.${encode(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), key).toString("base64url")}`;
}

contractOffline("credentials", (subject) => {
  let folder: string;
  let sqld: Awaited<ReturnType<typeof startSqld>>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "seawall-key-"));
    const keyFile = join(folder, "public.pem");
    await writeFile(keyFile, publicKey.export({ type: "spki", format: "pem" }));
    sqld = await startSqld({ args: ["--auth-jwt-key-file", keyFile] });
  });
  afterAll(async () => {
    await sqld?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const open = (authToken?: string) =>
    opened(subject, { url: sqld.url, seawall: singleAttempt, ...(authToken === undefined ? {} : { authToken }) });

  test.each<[string, () => string | undefined]>([
    ["no token", () => undefined],
    ["an empty token", () => ""],
    ["a token that is none", () => "not-a-token"],
    ["a token that has expired", () => token("rw", -HOUR_S)],
    ["a token of another key", () => token("rw", HOUR_S, stranger)],
  ])("%s is refused with 401, and not shown", async (_name, tokenOf) => {
    const used = tokenOf();
    const error = await rejection(open(used).execute("SELECT 1"));
    const refused = innermost(subject, error);
    expect(refused.message).toContain("401");
    expect(refused.cause).toMatchObject({ status: 401 });
    if (used) expect(`${error} ${(error as Error).stack} ${JSON.stringify(error)}`).not.toContain(used);
  });

  test("a token for writing reads and writes", async () => {
    const client = open(token("rw"));
    await prepare(client, "CREATE TABLE written (a)", "INSERT INTO written VALUES (1)");
    expect(await countOf(client, "written")).toBe(1);
    const transaction = await client.transaction("write");
    await transaction.execute("INSERT INTO written VALUES (2)");
    await transaction.commit();
    expect(await countOf(client, "written")).toBe(2);
  });

  test("a token for reading reads and does not write", async () => {
    const writer = open(token("rw"));
    await prepare(writer, "CREATE TABLE guarded (a)", "INSERT INTO guarded VALUES (1)");
    const reader = open(token("ro"));
    expect(await countOf(reader, "guarded")).toBe(1);
    innermost(subject, await rejection(reader.execute("INSERT INTO guarded VALUES (2)")));
    innermost(subject, await rejection(reader.batch(["INSERT INTO guarded VALUES (3)"], "write")));
    expect(await countOf(writer, "guarded")).toBe(1);
  });

  test("a token in the URL is used", async () => {
    const client = opened(subject, { url: `${sqld.url}?authToken=${token("rw")}` });
    expect(onlyValue(await client.execute("SELECT 1"))).toBe(1);
  });

  test("a refused client does not keep another from working", async () => {
    const refused = open("not-a-token");
    await rejection(refused.execute("SELECT 1"));
    expect(onlyValue(await open(token("rw")).execute("SELECT 1"))).toBe(1);
  });
});
