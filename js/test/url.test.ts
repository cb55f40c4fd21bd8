import { describe, expect, test } from "vitest";
import { parseConfig } from "../src/config.ts";

const parse = (url: string, rest = {}) => parseConfig({ url, ...rest });
const codeOf = (url: unknown, rest = {}) => {
  try {
    parseConfig({ url: url as string, ...rest });
  } catch (error) {
    return (error as { code: string }).code;
  }
  return undefined;
};

describe("URL forms", () => {
  test.each([
    ["libsql://db.example.com", "https://db.example.com/"],
    ["libsql://db.example.com:8443/", "https://db.example.com:8443/"],
    ["libsql://db.example.com?tls=1", "https://db.example.com/"],
    ["libsql://localhost:8080?tls=0", "http://localhost:8080/"],
    ["LIBSQL://db.example.com", "https://db.example.com/"],
    ["https://gw.example.com/db/one/", "https://gw.example.com/db/one/"],
    ["https://gw.example.com/db/one", "https://gw.example.com/db/one"],
    ["https://gw.example.com/a%20b/", "https://gw.example.com/a%20b/"],
    ["http://127.0.0.1:8080", "http://127.0.0.1:8080/"],
    ["http://[::1]:8080", "http://[::1]:8080/"],
  ])("%s is served at %s", (url, base) => {
    expect(parse(url).baseUrl.href).toBe(base);
  });

  test("`tls: false` makes a libsql URL plain HTTP, and needs a port", () => {
    expect(parse("libsql://localhost:1", { tls: false }).baseUrl.href).toBe("http://localhost:1/");
    expect(codeOf("libsql://localhost", { tls: false })).toBe("URL_INVALID");
  });

  test("the token in the URL wins over the setting", () => {
    expect(parse("libsql://db.example.com?authToken=a%2Bb", { authToken: "c" }).authorization).toBe("Bearer a+b");
    expect(parse("libsql://db.example.com", { authToken: "c" }).authorization).toBe("Bearer c");
    expect(parse("libsql://db.example.com").authorization).toBeUndefined();
  });

  test("user and password travel in the header, not in the address", () => {
    const config = parse("http://me:p%C3%A4ss@localhost:8080");
    expect(config.baseUrl.href).toBe("http://localhost:8080/");
    expect(config.authorization).toBe(`Basic ${Buffer.from("me:päss").toString("base64")}`);
  });
});

describe("refusals", () => {
  test.each([
    ["ftp://localhost", "URL_SCHEME_NOT_SUPPORTED"],
    ["ws://localhost", "URL_SCHEME_NOT_SUPPORTED"],
    ["wss://localhost", "URL_SCHEME_NOT_SUPPORTED"],
    ["file:local.db", "URL_SCHEME_NOT_SUPPORTED"],
    ["file::memory:", "URL_SCHEME_NOT_SUPPORTED"],
    ["file::memory:?cache=shared", "URL_SCHEME_NOT_SUPPORTED"],
    [":memory:", "URL_SCHEME_NOT_SUPPORTED"],
    ["ws://localhost?foo=bar", "URL_PARAM_NOT_SUPPORTED"],
    ["https://localhost?foo=bar", "URL_PARAM_NOT_SUPPORTED"],
    ["ws://localhost?tls=1", "URL_INVALID"],
    ["wss://localhost?tls=0", "URL_INVALID"],
    ["http://localhost?tls=1", "URL_INVALID"],
    ["https://localhost?tls=0", "URL_INVALID"],
    ["libsql://localhost?tls=0", "URL_INVALID"],
    ["libsql://localhost?tls=yes", "URL_INVALID"],
    ["libsql://localhost#fragment", "URL_INVALID"],
    ["libsql://localhost/%zz", "URL_INVALID"],
    ["libsql://local[host", "URL_INVALID"],
    ["libsql:localhost", "URL_INVALID"],
    ["http://localhost:99999", "URL_INVALID"],
    ["localhost", "URL_INVALID"],
    ["", "URL_INVALID"],
    [undefined, "URL_INVALID"],
  ])("%s is refused with %s", (url, code) => {
    expect(codeOf(url)).toBe(code);
  });

  test("an unsupported scheme is told what to use", () => {
    expect(() => parse("wss://localhost")).toThrow(/"wss:".*"libsql:" or "https:"/);
    expect(() => parse("file:x.db")).toThrow(/"file:".*"libsql:" or "https:"/);
  });

  test.each([
    "libsql//secret",
    "libsql://a[secret",
    "https://h?authToken=secret#f",
    "https://h?tls=0&authToken=secret",
    "https://h/secret%zz",
  ])("the message about %s does not repeat it: a URL may hold a token", (url) => {
    expect(() => parse(url)).not.toThrow(/secret/);
    expect(codeOf(url)).toBe("URL_INVALID");
  });

  test("settings of the wrong kind are a TypeError", () => {
    expect(() => parseConfig("libsql://x" as never)).toThrow(/as object, got string/);
    expect(() => parseConfig(null as never)).toThrow(/as object, got null/);
    expect(() => parse("libsql://x", { intMode: "foo" })).toThrow(/"foo"/);
    expect(codeOf("libsql://x", { encryptionKey: "k" })).toBe("ENCRYPTION_KEY_NOT_SUPPORTED");
  });
});
