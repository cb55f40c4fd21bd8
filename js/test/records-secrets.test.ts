// Envelopes of connection strings, checked against Node's own AES-GCM, and what their keys must never do.

import { createDecipheriv, randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { ResilienceError } from "../src/errors.ts";
import { CryptoKeys, cryptoKeys } from "../src/records/crypto-keys.ts";
import { type Belonging, open, seal } from "../src/records/envelope.ts";
import { rejection } from "./guards.ts";

const PLACE: Belonging = ["platform_databases", "db-1", "connection"];
const SECRET = "libsql://user:pässword@db.example.com?authToken=abc";
const newKey = () => randomBytes(32).toString("base64");

const unreadable = async (work: Promise<unknown>) => {
  const error = await rejection(work);
  expect(error).toBeInstanceOf(ResilienceError);
  expect(error).toMatchObject({ code: "SECRET_UNREADABLE", origin: "caller", retry: "never" });
  return error as Error;
};

describe("SEC-01: connection strings are sealed with AES-256-GCM", () => {
  test.each(["", "x", SECRET, "😀".repeat(2_000)])("SEC-01: what was sealed is opened as it was (%#)", async (text) => {
    const keys = new CryptoKeys([newKey()]);
    const envelope = await seal(keys, text, PLACE);
    expect(envelope).toMatch(/^sw1\.[0-9a-f]{12}\.[\w-]{16}\.[\w-]+$/);
    expect(envelope).not.toContain("example");
    expect(await open(keys, envelope, PLACE)).toBe(text);
  });

  test("SEC-01: Node's crypto opens the envelope by its description", async () => {
    const key = randomBytes(32);
    const [version, id, nonce, sealed] = (await seal(new CryptoKeys([key.toString("hex")]), SECRET, PLACE)).split(".");
    const bytes = Buffer.from(sealed as string, "base64url");
    const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(nonce as string, "base64url"));
    decipher.setAuthTag(bytes.subarray(-16));
    decipher.setAAD(Buffer.from(JSON.stringify([version, id, ...PLACE])));
    const opened = decipher.update(bytes.subarray(0, -16), undefined, "utf8") + decipher.final("utf8");
    expect(opened).toBe(SECRET);
    expect(Buffer.from(nonce as string, "base64url")).toHaveLength(12);
  });

  test("SEC-01: no nonce is used twice, so the same text is never sealed alike", async () => {
    const keys = new CryptoKeys([newKey()]);
    const nonces = await Promise.all(
      Array.from({ length: 500 }, async () => (await seal(keys, "x", PLACE)).split(".")[2]),
    );
    expect(new Set(nonces).size).toBe(500);
  });

  test("SEC-01: every flipped bit, every cut and every foreign spelling is noticed", async () => {
    const keys = new CryptoKeys([newKey()]);
    const envelope = await seal(keys, "secret", PLACE);
    const [version, id, nonce, sealed] = envelope.split(".") as [string, string, string, string];
    const spoilt: string[] = [];
    for (const part of [nonce, sealed]) {
      const bytes = Buffer.from(part, "base64url");
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        const other = Buffer.from(bytes);
        other[bit >> 3] = (other[bit >> 3] as number) ^ (1 << (bit & 7));
        const flipped = other.toString("base64url");
        spoilt.push([version, id, ...(part === nonce ? [flipped, sealed] : [nonce, flipped])].join("."));
      }
    }
    expect(spoilt).toHaveLength((12 + 6 + 16) * 8);
    for (let end = 0; end < envelope.length; end += 1) spoilt.push(envelope.slice(0, end));
    const last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    // 22 bytes end in four bits that count and two that do not.
    const at = last.indexOf(sealed.at(-1) as string);
    for (let change = 1; change < 4; change += 1) spoilt.push(envelope.slice(0, -1) + last[at ^ change]);
    spoilt.push(`${envelope}=`, ` ${envelope}`, `${envelope}\n`, envelope.replace("sw1", "sw2"), "", "libsql://plain");
    for (const text of spoilt) await unreadable(open(keys, text, PLACE));
  });

  test("SEC-01: an envelope is of no use in another row, field or table", async () => {
    const keys = new CryptoKeys([newKey()]);
    const envelope = await seal(keys, SECRET, PLACE);
    const places: Belonging[] = [
      ["platform_databases", "db-2", "connection"],
      ["platform_databases", "db-1", "name"],
      ["others", "db-1", "connection"],
      ["platform_databases", 'db-1","connection', ""],
    ];
    for (const place of places)
      expect((await unreadable(open(keys, envelope, place))).message).not.toContain("pässword");
  });

  test("SEC-01: another key is a typed error that names the key that is missing", async () => {
    const [old, young] = [newKey(), newKey()];
    const envelope = await seal(new CryptoKeys([old]), SECRET, PLACE);
    const error = await unreadable(open(new CryptoKeys([young]), envelope, PLACE));
    expect(error.message).toContain(envelope.split(".")[1]);
    expect(error.message).toContain('platform_databases "db-1"');
    const both = new CryptoKeys([young, old]);
    expect(await open(both, envelope, PLACE)).toBe(SECRET);
    expect((await seal(both, SECRET, PLACE)).split(".")[1]).toBe((await both.ids())[0]);
  });

  test("SEC-01: a key that claims another's name opens nothing", async () => {
    const keys = new CryptoKeys([newKey(), newKey()]);
    const [first, second] = await keys.ids();
    const envelope = await seal(keys, SECRET, PLACE);
    await unreadable(open(keys, envelope.replace(first as string, second as string), PLACE));
  });
});

describe("SEC-01: keys", () => {
  test("SEC-01: base64, base64url with or without padding, and hex are the same key", async () => {
    const key = randomBytes(32);
    const spellings = [
      key.toString("base64"),
      key.toString("base64url"),
      key.toString("hex"),
      key.toString("hex").toUpperCase(),
      ` ${key.toString("base64")}\n`,
    ];
    const ids = await Promise.all(spellings.map(async (text) => (await new CryptoKeys([text]).ids())[0]));
    expect(new Set(ids).size).toBe(1);
  });

  const STRAY = "hunter2-is-no-key-at-all";
  test.each<[string, unknown[]]>([
    ["no key", []],
    ["a pass phrase", [STRAY]],
    ["16 bytes", [randomBytes(16).toString("base64")]],
    ["33 bytes", [randomBytes(33).toString("base64")]],
    ["31 bytes in hex", [randomBytes(31).toString("hex")]],
    ["characters of no alphabet", [`${newKey().slice(0, 42)}*=`]],
    ["one byte repeated", ["0".repeat(64)]],
    ["a number", [42]],
    ["nothing", [undefined]],
    ["bytes", [randomBytes(32)]],
    ["too many", Array.from({ length: 9 }, newKey)],
    ["the same twice", Array(2).fill(newKey())],
    ["a second that is bad", [newKey(), STRAY]],
  ])("SEC-01: %s is refused, and not shown", (_name, keys) => {
    let error: unknown;
    try {
      new CryptoKeys(keys as string[]);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(TypeError);
    const text = inspect(error, { depth: null });
    for (const key of keys) if (typeof key === "string") expect(text).not.toContain(key);
  });

  test("SEC-01 and ENV-18: keys are read from the environment, the newest first, under either name", async () => {
    const [young, old] = [newKey(), newKey()];
    expect(await cryptoKeys({ SEAWALL_CRYPTO_KEY: `${young}, ${old}` }).ids()).toHaveLength(2);
    const older = await cryptoKeys({ PG_META_CRYPTO_KEY: young }).ids();
    expect(older).toEqual(await cryptoKeys({ SEAWALL_CRYPTO_KEY: young, PG_META_CRYPTO_KEY: young }).ids());
    expect(() => cryptoKeys({})).toThrow(/SEAWALL_CRYPTO_KEY is not set.*openssl rand/);
    expect(() => cryptoKeys({ SEAWALL_CRYPTO_KEY: "" })).toThrow(/is not set/);
    expect(() => cryptoKeys({ SEAWALL_CRYPTO_KEY: young, PG_META_CRYPTO_KEY: old })).toThrow(/differ/);
    expect(() => cryptoKeys({ PG_META_CRYPTO_KEY: "short" })).toThrow(/^PG_META_CRYPTO_KEY must be 32 random bytes/);
    expect(() => cryptoKeys({ SEAWALL_CRYPTO_KEY: `${young},` })).toThrow(/key 2/);
  });

  test("SEC-01: nothing that is printed of the keys holds one", async () => {
    const [base64, hex] = [newKey(), randomBytes(32).toString("hex")];
    const keys = new CryptoKeys([base64, hex]);
    await seal(keys, SECRET, PLACE);
    const printed = [
      inspect(keys, { depth: null, showHidden: true }),
      JSON.stringify({ keys }),
      `${keys}`,
      Object.keys(keys),
    ];
    for (const text of [base64, hex, Buffer.from(base64, "base64").toString("hex")]) {
      expect(printed.join("\n")).not.toContain(text);
    }
  });
});
