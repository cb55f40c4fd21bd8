// Failures between the client and the database, shown by servers that answer what the test says.
import type { ServerResponse } from "node:http";
import type { Client } from "@libsql/client/web";
import { describe, expect, test } from "vitest";
import { freePort } from "../support/sqld.mjs";
import {
  checkLibsqlError,
  codesOf,
  contractOffline,
  differs,
  innermost,
  libsqlRejection,
  onlyValue,
  opened,
  rejection,
} from "./contract.ts";
import { answerWith, type FakeRequest, fakeServer, type PipelineBody, reply, wireResult } from "./fake-server.ts";
import { queryDeadline, singleAttempt } from "./subjects.ts";

const json = "application/json";
const one = wireResult({ one: { type: "integer", value: "1" } });

contractOffline("failures on the way", (subject) => {
  const open = (url: string): Client =>
    opened(subject, { url, authToken: "token-not-to-be-shown", seawall: singleAttempt });

  /** What a SELECT is rejected with when the server answers so, and what it saw. */
  const failureOf = async (answer: Parameters<typeof fakeServer>[0], sql = "SELECT 1") => {
    const server = await fakeServer(answer);
    return { error: await rejection(open(server.url).execute(sql)), server };
  };

  describe("an answer with an HTTP status is a LibsqlError that names the status", () => {
    test.each<[number, string, string]>([
      [400, "text/plain", "The request is not valid"],
      [401, json, '{"error":"Unauthorized: the token is missing"}'],
      [401, "text/plain", "Unauthorized"],
      [403, json, '{"error":"Forbidden"}'],
      [404, "text/html", "<!doctype html><title>Not Found</title>"],
      [404, json, '{"error":"Namespace does not exist"}'],
      [429, json, '{"error":"Timed out while opening database connection"}'],
      [429, "text/plain", "Too Many Requests"],
      [500, "text/plain", "Internal Server Error"],
      [500, json, "{}"],
      [502, "text/html", "<html>Bad Gateway</html>"],
      [503, "text/plain", ""],
      [503, json, '{"error":"unavailable"}'],
      [504, "application/octet-stream", "\u0000\u0001"],
    ])("%i, %s, %j", async (status, contentType, body) => {
      const { error } = await failureOf(reply(status, contentType, body));
      const inner = innermost(subject, error);
      expect(inner.message).toContain(String(status));
      expect(inner.cause).toMatchObject({ status });
    });

    test("without a body and a content type", async () => {
      const { error } = await failureOf((_request, response) => response.writeHead(503).end());
      expect(innermost(subject, error).message).toContain("503");
    });

    test("with the words of a plain text", async () => {
      const { error } = await failureOf(reply(400, "text/plain", "The baton is invalid\n"));
      expect(innermost(subject, error).message).toMatch(/The baton is invalid$/);
    });
  });

  test.each([400, 401, 500, 503])("a body of %i with a message and a code gives the error both", async (status) => {
    const body = '{"message":"Something specific","code":"SPECIFIC_CODE"}';
    const { error } = await failureOf(reply(status, json, body));
    const inner = innermost(subject, error);
    expect(inner.code).toBe("SPECIFIC_CODE");
    expect(inner.message).toBe("SPECIFIC_CODE: Something specific");
  });

  test("a body with a message and no code still gives an error with a code", async () => {
    const { error } = await failureOf(reply(500, json, '{"message":"Something specific"}'));
    expect(innermost(subject, error).message).toContain("Something specific");
  });

  describe("every method reports it", () => {
    test.each<[string, (client: Client) => Promise<unknown>]>([
      ["execute", (client) => client.execute("SELECT 1")],
      ["batch", (client) => client.batch(["SELECT 1"], "read")],
      ["migrate", (client) => client.migrate(["SELECT 1"])],
      ["executeMultiple", (client) => client.executeMultiple("SELECT 1")],
      ["a transaction", async (client) => (await client.transaction("read")).execute("SELECT 1")],
      ["a batch in a transaction", async (client) => (await client.transaction("read")).batch(["SELECT 1"])],
      ["a script in a transaction", async (client) => (await client.transaction("read")).executeMultiple("SELECT 1")],
    ])("%s", async (_name, call) => {
      const server = await fakeServer(reply(403, json, '{"message":"No entry","code":"FORBIDDEN"}'));
      const error = await rejection(call(open(server.url)));
      expect(codesOf(error)).toContain("FORBIDDEN");
      expect(innermost(subject, error).message).toContain("No entry");
    });
  });

  test("an error of the client shows no token", async () => {
    for (const answer of [reply(401, json, '{"error":"no"}'), reply(500, "text/plain", "no"), reply(200, json, "{}")]) {
      const { error } = await failureOf(answer);
      for (let at: unknown = error; at instanceof Error; at = at.cause) {
        expect(`${at.message} ${at.stack} ${JSON.stringify(at)}`).not.toContain("token-not-to-be-shown");
      }
    }
  });

  test("the same client works once the server does", async () => {
    let broken = true;
    const server = await fakeServer((request, response) =>
      broken ? reply(403, "text/plain", "not yet")(request, response) : answerWith(one)(request, response),
    );
    const client = open(server.url);
    await libsqlRejection(subject, client.execute("SELECT 1"));
    broken = false;
    expect(onlyValue(await client.execute("SELECT 1"))).toBe(1);
  });

  describe("an error in band", () => {
    const inBand = (error: Record<string, unknown>) => (request: FakeRequest, response: ServerResponse) => {
      const results = (request.body as PipelineBody).requests.map(({ type }) =>
        type === "close" ? { type: "ok", response: { type } } : { type: "error", error },
      );
      response.writeHead(200, { "content-type": json }).end(JSON.stringify({ baton: null, base_url: null, results }));
    };

    test("keeps its message and its code", async () => {
      const { error } = await failureOf(inBand({ message: "The database is blocked", code: "BLOCKED" }));
      const inner = innermost(subject, error);
      expect([inner.code, inner.message]).toStrictEqual(["BLOCKED", "BLOCKED: The database is blocked"]);
    });

    test("without a code is a LibsqlError all the same", async () => {
      const { error } = await failureOf(inBand({ message: "Something went wrong" }));
      expect(innermost(subject, error).message).toContain("Something went wrong");
    });
  });

  differs(subject, "an error with a charset in its content type keeps its code", {
    upstream: async () => {
      const body = '{"message":"Something specific","code":"SPECIFIC_CODE"}';
      const { error } = await failureOf(reply(500, "application/json; charset=utf-8", body));
      checkLibsqlError(subject, error, "SERVER_ERROR");
      expect(String(error)).not.toContain("Something specific");
    },
    ours: async () => {
      const body = '{"message":"Something specific","code":"SPECIFIC_CODE"}';
      const { error } = await failureOf(reply(500, "application/json; charset=utf-8", body));
      expect(codesOf(error)).toContain("SPECIFIC_CODE");
      expect(innermost(subject, error).message).toContain("Something specific");
    },
  });

  differs(subject, "the server's explanation in an {error} body is in the message", {
    upstream: async () => {
      const { error } = await failureOf(reply(404, json, '{"error":"Namespace `nowhere` does not exist"}'));
      checkLibsqlError(subject, error, "SERVER_ERROR");
      expect(String(error)).not.toContain("nowhere");
    },
    ours: async () => {
      const { error } = await failureOf(reply(404, json, '{"error":"Namespace `nowhere` does not exist"}'));
      expect(innermost(subject, error).message).toContain("404");
      expect(innermost(subject, error).message).toContain("Namespace `nowhere` does not exist");
    },
  });

  test("429 and 503 share a code with 500, and the status tells them apart", async () => {
    for (const status of [429, 500, 503]) {
      const { error } = await failureOf(reply(status, json, '{"error":"later"}'));
      checkLibsqlError(subject, innermost(subject, error), "SERVER_ERROR");
      expect(String(innermost(subject, error))).toContain(String(status));
    }
  });

  differs(subject, "an answer that is not JSON has a code", {
    upstream: async () => {
      const { error } = await failureOf(reply(200, "text/html", "<html>Welcome to the hotel</html>"));
      expect(error).toBeInstanceOf(SyntaxError);
      expect(codesOf(error)).toStrictEqual([undefined]);
    },
    ours: async () => {
      for (const body of ["<html>Welcome to the hotel</html>", "", '{"baton":null,"base_u', "\u0000\u0001"]) {
        const { error } = await failureOf(reply(200, "text/html", body));
        expect(codesOf(error)).toContain("BAD_RESPONSE");
        innermost(subject, error);
      }
    },
  });

  differs(subject, "an error that is called JSON and is not has a code", {
    upstream: async () => {
      const { error } = await failureOf(reply(503, json, "<html>Service Unavailable</html>"));
      expect(error).toBeInstanceOf(SyntaxError);
      expect(codesOf(error)).toStrictEqual([undefined]);
    },
    ours: async () => {
      for (const body of ["<html>Service Unavailable</html>", "", "null", '"text"', "[]"]) {
        const { error } = await failureOf(reply(503, json, body));
        expect(innermost(subject, error).message).toContain("503");
      }
    },
  });

  differs(subject, "a refused connection has a code", {
    upstream: async () => {
      const error = await rejection(open(`http://127.0.0.1:${await freePort()}`).execute("SELECT 1"));
      expect(error).toBeInstanceOf(TypeError);
      expect((error as { code?: unknown }).code).toBeUndefined();
    },
    ours: async () => {
      const client = open(`http://127.0.0.1:${await freePort()}`);
      for (const call of [
        () => client.execute("SELECT 1"),
        () => client.batch(["SELECT 1"], "write"),
        () => client.transaction("write").then((transaction) => transaction.execute("SELECT 1")),
      ]) {
        const error = await rejection(call());
        expect(codesOf(error)).toContain("CONNECT_FAILED");
        innermost(subject, error);
      }
    },
  });

  const cutBefore: Parameters<typeof fakeServer>[0] = (_request, response) => response.socket?.destroy();
  const cutWithin: Parameters<typeof fakeServer>[0] = (_request, response) => {
    response.writeHead(200, { "content-type": json, "content-length": "1000" });
    response.write('{"baton":null,', () => response.socket?.destroy());
  };

  differs(subject, "a connection lost before the answer has a code", {
    upstream: async () => {
      const { error } = await failureOf(cutBefore);
      expect(error).toBeInstanceOf(TypeError);
      expect((error as { code?: unknown }).code).toBeUndefined();
    },
    ours: async () => {
      const { error } = await failureOf(cutBefore);
      expect(codesOf(error)).toContain("CONNECTION_LOST");
      innermost(subject, error);
    },
  });

  differs(subject, "a connection lost in the middle of the answer has a code", {
    upstream: async () => {
      const { error } = await failureOf(cutWithin);
      expect(error).toBeInstanceOf(TypeError);
      expect((error as { code?: unknown }).code).toBeUndefined();
    },
    ours: async () => {
      const { error } = await failureOf(cutWithin);
      expect(codesOf(error)).toContain("BODY_LOST");
      innermost(subject, error);
    },
  });

  differs(subject, "a lost answer to a write leaves its outcome unknown", {
    upstream: async () => {
      const { error, server } = await failureOf(cutBefore, "INSERT INTO t VALUES (1)");
      expect(error).toBeInstanceOf(TypeError);
      expect(server.pipelines).toHaveLength(1);
    },
    ours: async () => {
      // With the policies as they are by default: none of them may send a write twice.
      for (const answer of [cutBefore, cutWithin]) {
        const server = await fakeServer(answer);
        const client = opened(subject, { url: server.url });
        await libsqlRejection(subject, client.execute("INSERT INTO t VALUES (1)"), "OUTCOME_UNKNOWN");
        expect(server.pipelines).toHaveLength(1);
      }
    },
  });

  differs(subject, "a custom fetch that rejects has a code", {
    upstream: async () => {
      const refused = new Error("refused by the caller's fetch");
      const client = opened(subject, { url: "http://nowhere.invalid", fetch: () => Promise.reject(refused) });
      expect(await rejection(client.execute("SELECT 1"))).toBe(refused);
    },
    ours: async () => {
      const refused = new Error("refused by the caller's fetch");
      const client = opened(subject, {
        url: "http://nowhere.invalid",
        fetch: () => Promise.reject(refused),
        seawall: singleAttempt,
      });
      const error = await libsqlRejection(subject, client.execute("SELECT 1"));
      let lowest: unknown = error;
      while (lowest instanceof Error && lowest.cause !== undefined) lowest = lowest.cause;
      expect(lowest).toBe(refused);
    },
  });

  differs(subject, "a hung server cannot hold a query past its deadline", {
    upstream: async () => {
      const server = await fakeServer(() => undefined);
      const client = opened(subject, { url: server.url, timeout: 100, seawall: queryDeadline(100) });
      let settled = false;
      const call = client.execute("SELECT 1").finally(() => {
        settled = true;
      });
      call.catch(() => undefined);
      // That something never happens can only be watched for a while: five times the deadline.
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(settled).toBe(false);
    },
    ours: async () => {
      const aborted = deferred();
      const server = await fakeServer((_request, response) => {
        response.socket?.once("close", aborted.resolve);
      });
      const client = opened(subject, { url: server.url, seawall: queryDeadline(100) });
      const before = performance.now();
      const error = await rejection(client.execute("SELECT 1"));
      expect(performance.now() - before).toBeLessThan(1_000);
      expect(codesOf(error)).toContain("DEADLINE_EXCEEDED");
      checkLibsqlError(subject, error);
      await aborted.promise;
    },
  });
});

function deferred() {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
