import { describe, expect, test } from "vitest";
import { checkLibsqlError, contract, contractOffline, differs, onlyValue, opened, rejection } from "./contract.ts";
import { answerWith, fakeServer, wireResult } from "./fake-server.ts";
import type { Config } from "./subjects.ts";

const answer = answerWith(wireResult({ one: { type: "integer", value: "1" } }));

contractOffline("configuration that is refused", (subject) => {
  const refusal = (config: unknown): unknown => {
    try {
      subject.createClient(config as Config).close();
    } catch (error) {
      return error;
    }
    throw new Error("expected createClient to throw");
  };

  describe("by its URL", () => {
    test.each<[string, string, string, RegExp]>([
      ["unknown scheme", "ftp://localhost", "URL_SCHEME_NOT_SUPPORTED", /"ftp:"/],
      ["another database", "postgres://localhost/db", "URL_SCHEME_NOT_SUPPORTED", /"postgres:"/],
      ["file with a path", "file:/tmp/never.db", "URL_SCHEME_NOT_SUPPORTED", /"file:"/],
      ["relative file", "file:never.db", "URL_SCHEME_NOT_SUPPORTED", /"file:"/],
      ["in memory", ":memory:", "URL_SCHEME_NOT_SUPPORTED", /"file:"/],
      ["in memory as a file", "file::memory:?cache=shared", "URL_SCHEME_NOT_SUPPORTED", /"file:"/],
      ["unknown parameter", "http://localhost?foo=bar", "URL_PARAM_NOT_SUPPORTED", /"foo"/],
      ["unknown parameter without a value", "http://localhost?foo", "URL_PARAM_NOT_SUPPORTED", /"foo"/],
      ["parameter in the wrong case", "http://localhost?TLS=0", "URL_PARAM_NOT_SUPPORTED", /"TLS"/],
      ["parameter of Object's prototype", "http://localhost?constructor=1", "URL_PARAM_NOT_SUPPORTED", /"constructor"/],
      ["http with TLS", "http://localhost?tls=1", "URL_INVALID", /TLS/],
      ["https without TLS", "https://localhost?tls=0", "URL_INVALID", /TLS/],
      ["libsql without TLS and port", "libsql://localhost?tls=0", "URL_INVALID", /port/],
      ["tls that is neither 0 nor 1", "libsql://localhost?tls=yes", "URL_INVALID", /"tls"/],
      ["fragment", "http://localhost#there", "URL_INVALID", /fragment/i],
      ["invalid percent-encoding in the path", "http://localhost/%C5%C5%88", "URL_INVALID", /percent encoding/],
      ["invalid percent-encoding in the token", "http://localhost?authToken=%zz", "URL_INVALID", /percent encoding/],
      ["invalid percent-encoding in the host", "http://local%zzhost", "URL_INVALID", /percent encoding/],
      ["no scheme", "localhost:8080/db", "URL_SCHEME_NOT_SUPPORTED", /"localhost:"/],
      ["no scheme and no colon", "localhost", "URL_INVALID", /format/],
      ["a scheme that is none", "h$$p://localhost", "URL_INVALID", /format/],
      ["nothing", "", "URL_INVALID", /format/],
      ["no authority", "http:localhost", "URL_INVALID", /authority/],
      ["a port that is no number", "http://localhost:abc", "URL_INVALID", /authority/],
      ["a bracket that is not closed", "http://[::1", "URL_INVALID", /authority/],
    ])("%s", (_name, url, code, message) => {
      expect(checkLibsqlError(subject, refusal({ url }), code).message).toMatch(message);
    });

    test("a refusal of a scheme says which ones work", () => {
      const { message } = checkLibsqlError(subject, refusal({ url: "file:never.db" }));
      expect(message).toContain('"libsql:"');
      expect(message).toContain('"https:"');
      expect(message).toContain('"http:"');
    });

    test("http with tls in the configuration", () => {
      checkLibsqlError(subject, refusal({ url: "http://localhost", tls: true }), "URL_INVALID");
    });

    test("https without tls in the configuration", () => {
      checkLibsqlError(subject, refusal({ url: "https://localhost", tls: false }), "URL_INVALID");
    });

    test("libsql without tls in the configuration and without a port", () => {
      checkLibsqlError(subject, refusal({ url: "libsql://localhost", tls: false }), "URL_INVALID");
    });
  });

  test("a URL in place of the configuration is a TypeError that says so", () => {
    const error = refusal("http://localhost");
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toMatch(/as object, got string/);
  });

  test("no configuration is a TypeError", () => {
    expect(refusal(undefined)).toBeInstanceOf(TypeError);
    expect(refusal(null)).toBeInstanceOf(TypeError);
  });

  test("an unknown intMode is a TypeError that names it", () => {
    const error = refusal({ url: "http://localhost", intMode: "float" });
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toContain('"float"');
  });

  test("an encryption key is refused, since the database is remote", () => {
    const error = refusal({ url: "http://localhost", encryptionKey: "key-not-to-be-shown" });
    checkLibsqlError(subject, error, "ENCRYPTION_KEY_NOT_SUPPORTED");
    expect(String(error)).not.toContain("key-not-to-be-shown");
  });
});

contractOffline("configuration that is accepted", (subject) => {
  test.each<[string, Partial<Config>]>([
    ["libsql", { url: "libsql://database.example" }],
    ["libsql with tls=1", { url: "libsql://database.example?tls=1" }],
    ["libsql without TLS and with a port", { url: "libsql://localhost:8080?tls=0" }],
    ["https", { url: "https://database.example" }],
    ["https with tls=1", { url: "https://database.example?tls=1" }],
    ["http", { url: "http://localhost:8080" }],
    ["http with tls=0", { url: "http://localhost?tls=0" }],
    ["http where the parameter overrules the configuration", { url: "http://localhost?tls=0", tls: true }],
    ["scheme in capitals", { url: "HTTP://localhost" }],
    ["IPv6", { url: "http://[::1]:8080" }],
    ["empty port", { url: "http://localhost:" }],
    ["empty query", { url: "http://localhost?" }],
    ["token in the URL", { url: "https://database.example?authToken=abc" }],
    ["options for local databases", { url: "http://localhost", syncInterval: 1, readYourWrites: true, offline: false }],
    [
      "undefined options",
      { url: "http://localhost", authToken: undefined, concurrency: undefined } as unknown as Config,
    ],
  ])("%s", (_name, config) => {
    const client = opened(subject, config as Config);
    expect(client.protocol).toBe("http");
    expect(client.closed).toBe(false);
  });

  test("a client that was created and never used has asked nothing", async () => {
    const server = await fakeServer(answer);
    opened(subject, { url: server.url }).close();
    expect(server.pipelines).toHaveLength(0);
  });

  test("a frozen configuration is not touched", async () => {
    const server = await fakeServer(answer);
    const client = opened(subject, Object.freeze({ url: server.url, authToken: "token" }));
    expect(onlyValue(await client.execute("SELECT 1"))).toBe(1);
  });
});

contractOffline("what is sent", (subject) => {
  const sent = async (urlOf: (serverUrl: string) => string, config: Partial<Config> = {}) => {
    const server = await fakeServer(answer);
    const client = opened(subject, { url: urlOf(server.url), ...config });
    expect(onlyValue(await client.execute("SELECT 1"))).toBe(1);
    expect(server.pipelines).toHaveLength(1);
    const [request] = server.pipelines;
    if (request === undefined) throw new Error("the server saw no request");
    return request;
  };

  test("one POST with a JSON body for one statement, the stream closed in the same request", async () => {
    const request = await sent((url) => url);
    expect(request.method).toBe("POST");
    expect(request.headers["content-type"]).toMatch(/^application\/json/);
    expect(request.body?.requests.at(-1)?.type).toBe("close");
  });

  test("no authorization without a token", async () => {
    expect((await sent((url) => url)).headers.authorization).toBeUndefined();
  });

  test("the token of the configuration", async () => {
    expect((await sent((url) => url, { authToken: "secret" })).headers.authorization).toBe("Bearer secret");
  });

  test.each(["secret\n", " secret", "secret \r\n"])(
    "a token without the white space around it: %j",
    async (authToken) => {
      expect((await sent((url) => url, { authToken })).headers.authorization).toMatch(/^Bearer +secret$/);
    },
  );

  test("nothing, when the token would break the header", async () => {
    const server = await fakeServer(answer);
    const client = opened(subject, { url: server.url, authToken: "secret\r\nx-injected: yes" });
    expect(await rejection(client.execute("SELECT 1"))).toBeInstanceOf(Error);
    expect(server.pipelines).toHaveLength(0);
  });

  test("the token of the URL, decoded", async () => {
    expect((await sent((url) => `${url}?authToken=a%2Bb`)).headers.authorization).toBe("Bearer a+b");
  });

  test("the token of the URL before that of the configuration", async () => {
    const request = await sent((url) => `${url}?authToken=new`, { authToken: "old" });
    expect(request.headers.authorization).toBe("Bearer new");
  });

  test("neither the token nor any other parameter in the path", async () => {
    expect((await sent((url) => `${url}?authToken=secret&tls=0`)).path).not.toMatch(/secret|tls|\?/);
  });

  test("the key for encryption at the service", async () => {
    const request = await sent((url) => url, { remoteEncryptionKey: "bG9uZw==" });
    expect(request.headers["x-turso-encryption-key"]).toBe("bG9uZw==");
  });

  test("a libsql URL without TLS goes over HTTP", async () => {
    await sent((url) => `${url.replace("http:", "libsql:")}?tls=0`);
    await sent((url) => url.replace("http:", "libsql:"), { tls: false });
  });

  test.each<[string, string, RegExp]>([
    ["without a path", "", /^\/v[23]\/pipeline$/],
    ["with a slash", "/", /^\/v[23]\/pipeline$/],
    ["with a folder", "/db/one/", /^\/db\/one\/v[23]\/pipeline$/],
    ["with a last segment, which is replaced", "/db/one", /^\/db\/v[23]\/pipeline$/],
    ["with percent-encoding", "/k%C5%AF%C5%88/", /^\/k%C5%AF%C5%88\/v[23]\/pipeline$/],
    ["with a space", "/a%20b/", /^\/a%20b\/v[23]\/pipeline$/],
  ])("a URL %s", async (_name, path, expected) => {
    expect((await sent((url) => `${url}${path}`)).path).toMatch(expected);
  });
});

contractOffline("credentials in the URL", (subject) => {
  const withCredentials = (url: string) => url.replace("http://", "http://alice:pass%3Aword@");

  differs(subject, "user and password in the URL", {
    upstream: async () => {
      const server = await fakeServer(answer);
      const client = opened(subject, { url: withCredentials(server.url) });
      expect(await rejection(client.execute("SELECT 1"))).toBeInstanceOf(TypeError);
      expect(server.pipelines).toHaveLength(0);
    },
    ours: async () => {
      const server = await fakeServer(answer);
      const client = opened(subject, { url: withCredentials(server.url) });
      expect(onlyValue(await client.execute("SELECT 1"))).toBe(1);
      expect(server.pipelines[0]?.headers.authorization).toBe(`Basic ${btoa("alice:pass:word")}`);
      expect(server.pipelines[0]?.path).not.toContain("alice");
    },
  });
});

contract("custom fetch", (peer) => {
  test("is called with one Request that can be sent as it is", async () => {
    const calls: unknown[][] = [];
    const client = peer.open({
      authToken: "secret",
      fetch: (...call: [Request]) => {
        calls.push(call);
        return fetch(...call);
      },
    });
    expect(onlyValue(await client.execute("SELECT 42"))).toBe(42);
    expect(calls).toHaveLength(1);
    const request = calls[0]?.[0] as Request;
    expect(request).toBeInstanceOf(Request);
    expect(request.method).toBe("POST");
    expect(request.url).toMatch(/\/v[23]\/pipeline$/);
    expect(request.headers.get("authorization")).toBe("Bearer secret");
  });

  test("is used by every method", async () => {
    let calls = 0;
    const client = peer.open({
      fetch: (request: Request) => {
        calls += 1;
        return fetch(request);
      },
    });
    await client.batch(["SELECT 1"]);
    await client.migrate(["SELECT 1"]);
    await client.executeMultiple("SELECT 1");
    const transaction = await client.transaction("read");
    await transaction.execute("SELECT 1");
    await transaction.commit();
    expect(calls).toBe(5);
  });

  test("is still used after a reconnect", async () => {
    let calls = 0;
    const client = peer.open({
      fetch: (request: Request) => {
        calls += 1;
        return fetch(request);
      },
    });
    await client.reconnect();
    await client.execute("SELECT 1");
    expect(calls).toBe(1);
  });

  test("may answer by itself", async () => {
    const client = peer.open({
      url: "http://nowhere.invalid",
      fetch: async (request: Request) => {
        const { requests } = (await request.json()) as { requests: { type: string }[] };
        const result = wireResult({ own: { type: "text", value: "answer" } });
        return Response.json({
          baton: null,
          base_url: null,
          results: requests.map(({ type }) => ({
            type: "ok",
            response: type === "execute" ? { type, result } : { type },
          })),
        });
      },
    });
    expect(onlyValue(await client.execute("SELECT 1"))).toBe("answer");
  });

  test("that throws rejects the call and does not throw", async () => {
    const client = peer.open({
      fetch: () => {
        throw new Error("thrown by the caller's fetch");
      },
    });
    const call = client.execute("INSERT INTO anywhere VALUES (1)");
    expect(await rejection(call)).toBeInstanceOf(Error);
  });

  differs(peer, "a ws: URL is refused", {
    upstream: async () => {
      const client = opened(peer, { url: peer.url.replace("http:", "ws:") });
      expect(client.protocol).toBe("ws");
      expect(onlyValue(await client.execute("SELECT 1"))).toBe(1);
    },
    ours: () => {
      for (const url of ["ws://localhost:8080", "wss://database.example"]) {
        let refused: unknown;
        try {
          peer.createClient({ url });
        } catch (error) {
          refused = error;
        }
        const { message } = checkLibsqlError(peer, refused, "URL_SCHEME_NOT_SUPPORTED");
        expect(message).toContain(JSON.stringify(new URL(url).protocol));
        expect(message).toContain('"libsql:"');
        expect(message).toContain('"https:"');
      }
    },
  });
});
