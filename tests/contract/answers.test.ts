// Answers of a server that no real one gives on demand: some must be read, the others must be refused.
import type { ServerResponse } from "node:http";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import type { Client } from "@libsql/client/web";
import { describe, expect, test } from "vitest";
import {
  checkLibsqlError,
  codesOf,
  contractOffline,
  innermost,
  libsqlRejection,
  onlyValue,
  opened,
  rejection,
} from "./contract.ts";
import {
  answerWith,
  type FakeRequest,
  fakeServer,
  type PipelineBody,
  pipelineAnswer,
  reply,
  wireResult,
} from "./fake-server.ts";
import { singleAttempt } from "./subjects.ts";

const json = "application/json";
const one = wireResult({ one: { type: "integer", value: "1" } });

contractOffline("answers of the server", (subject) => {
  const open = (url: string): Client => opened(subject, { url, seawall: singleAttempt });

  const failureOf = async (answer: Parameters<typeof fakeServer>[0]) =>
    rejection(open((await fakeServer(answer)).url).execute("SELECT 1"));

  describe("an answer that is JSON and not the protocol is a LibsqlError", () => {
    const withResult = (result: unknown) => (request: FakeRequest, response: ServerResponse) => {
      const body = pipelineAnswer(request.body as PipelineBody, result as Record<string, unknown>);
      response.writeHead(200, { "content-type": json }).end(JSON.stringify(body));
    };

    test.each<[string, string]>([
      ["null", "null"],
      ["a number", "42"],
      ["a list", "[]"],
      ["an empty object", "{}"],
      ["results that are no list", '{"baton":null,"base_url":null,"results":"none"}'],
      ["no results", '{"baton":null,"base_url":null,"results":[]}'],
      [
        "too many results",
        `{"baton":null,"base_url":null,"results":[${Array(9).fill('{"type":"ok","response":{"type":"close"}}')}]}`,
      ],
      ["a result that is null", '{"baton":null,"base_url":null,"results":[null,null]}'],
      ["a result of an unknown kind", '{"baton":null,"base_url":null,"results":[{"type":"maybe"},{"type":"maybe"}]}'],
      [
        "a response of the wrong kind",
        `{"baton":null,"base_url":null,"results":[${Array(2).fill('{"type":"ok","response":{"type":"close"}}')}]}`,
      ],
    ])("%s", async (_name, body) => {
      const error = await failureOf(reply(200, json, body));
      innermost(subject, error);
    });

    test.each<[string, unknown]>([
      ["no columns", { ...one, cols: undefined }],
      ["columns that are no list", { ...one, cols: "one" }],
      ["rows that are no list", { ...one, rows: {} }],
      ["a row that is no list", { ...one, rows: ["1"] }],
      ["a value of an unknown type", { ...one, rows: [[{ type: "decimal", value: "1" }]] }],
      ["a value that is no object", { ...one, rows: [[1]] }],
      ["an integer that is a JSON number", { ...one, rows: [[{ type: "integer", value: 1 }]] }],
      ["text that is a number", { ...one, rows: [[{ type: "text", value: 1 }]] }],
      ["a blob without its bytes", { ...one, rows: [[{ type: "blob" }]] }],
      ["a float that is text", { ...one, rows: [[{ type: "float", value: "1.5" }]] }],
    ])("a result with %s", async (_name, result) => {
      const error = await failureOf(withResult(result));
      innermost(subject, error);
    });

    test("a batch with too few step results", async () => {
      const server = await fakeServer((request, response) => {
        const body = pipelineAnswer(request.body as PipelineBody, one);
        for (const { response: part } of body.results) {
          if ("result" in part && part.type === "batch") {
            Object.assign(part, { result: { step_results: [], step_errors: [] } });
          }
        }
        response.writeHead(200, { "content-type": json }).end(JSON.stringify(body));
      });
      await libsqlRejection(subject, open(server.url).batch(["SELECT 1"], "read"));
    });
  });

  describe("what a lenient reader accepts", () => {
    test("fields that it does not know", async () => {
      const server = await fakeServer((request, response) => {
        const body = { ...pipelineAnswer(request.body as PipelineBody, { ...one, future: { a: [1] } }), future: true };
        response.writeHead(200, { "content-type": json }).end(JSON.stringify(body));
      });
      expect(onlyValue(await open(server.url).execute("SELECT 1"))).toBe(1);
    });

    test("fields of later versions that are missing", async () => {
      const old = { cols: one.cols, rows: one.rows, affected_row_count: 0, last_insert_rowid: null };
      const server = await fakeServer(answerWith(old));
      expect(onlyValue(await open(server.url).execute("SELECT 1"))).toBe(1);
    });

    test("any content type of a good answer", async () => {
      const server = await fakeServer((request, response) => {
        const body = pipelineAnswer(request.body as PipelineBody, one);
        response.writeHead(200, { "content-type": "text/plain; charset=utf-8" }).end(JSON.stringify(body));
      });
      expect(onlyValue(await open(server.url).execute("SELECT 1"))).toBe(1);
    });

    test("blobs with padding and without", async () => {
      for (const base64 of ["/w==", "/w"]) {
        const server = await fakeServer(answerWith(wireResult({ b: { type: "blob", base64 } })));
        expect(onlyValue(await open(server.url).execute("SELECT X'ff'"))).toStrictEqual(Uint8Array.of(255).buffer);
      }
    });

    test("columns without names", async () => {
      const server = await fakeServer(answerWith({ ...one, cols: [{ name: null, decltype: null }] }));
      const result = await open(server.url).execute("SELECT 1");
      expect(result.columns).toStrictEqual([""]);
      expect(onlyValue(result)).toBe(1);
    });

    test.each<[string, (body: string) => Buffer]>([
      ["gzip", (body) => gzipSync(body)],
      ["deflate", (body) => deflateSync(body)],
      ["br", (body) => brotliCompressSync(body)],
    ])("an answer in %s, asked for or not", async (encoding, compress) => {
      const server = await fakeServer((request, response) => {
        const body = compress(JSON.stringify(pipelineAnswer(request.body as PipelineBody, one)));
        response.writeHead(200, { "content-type": json, "content-encoding": encoding }).end(body);
      });
      expect(onlyValue(await open(server.url).execute("SELECT 1"))).toBe(1);
    });

    test.each([307, 308])("a redirect with %i, which keeps the request as it is", async (status) => {
      const target = await fakeServer(answerWith(one));
      const server = await fakeServer((request, response) => {
        response.writeHead(status, { location: `${target.url}${request.path}` }).end();
      });
      expect(onlyValue(await open(server.url).execute("SELECT 1"))).toBe(1);
      expect(target.pipelines[0]?.body).toStrictEqual(server.pipelines[0]?.body);
    });

    test("a connection that is closed after each answer", async () => {
      const server = await fakeServer((request, response) => {
        response.setHeader("connection", "close");
        answerWith(one)(request, response);
      });
      const client = open(server.url);
      for (let i = 0; i < 20; i++) expect(onlyValue(await client.execute("SELECT 1"))).toBe(1);
    });

    test("an answer that comes byte by byte", async () => {
      const server = await fakeServer((request, response) => {
        response.writeHead(200, { "content-type": json });
        const result = wireResult({ horse: { type: "text", value: "kůň 🐎" } });
        for (const byte of Buffer.from(JSON.stringify(pipelineAnswer(request.body as PipelineBody, result)))) {
          response.write(Uint8Array.of(byte));
        }
        response.end();
      });
      expect(onlyValue(await open(server.url).execute("SELECT 1"))).toBe("kůň 🐎");
    });
  });

  describe("a stream of a transaction", () => {
    const streamed = (later: Parameters<typeof fakeServer>[0]) => {
      let answered = 0;
      return fakeServer((request, response) => {
        answered += 1;
        if (answered > 1) return later(request, response);
        const body = pipelineAnswer(request.body as PipelineBody, one, "first-baton");
        response.writeHead(200, { "content-type": json }).end(JSON.stringify(body));
      });
    };

    test("is continued with the baton of the answer before", async () => {
      const server = await streamed(answerWith(one));
      const transaction = await open(server.url).transaction("write");
      await transaction.execute("SELECT 1");
      await transaction.execute("SELECT 2");
      expect(server.pipelines.map(({ body }) => body?.baton ?? null)).toStrictEqual([null, "first-baton"]);
    });

    test("moves to the address that the server names", async () => {
      const other = await fakeServer(answerWith(one));
      const server = await fakeServer((request, response) => {
        const body = { ...pipelineAnswer(request.body as PipelineBody, one, "first-baton"), base_url: other.url };
        response.writeHead(200, { "content-type": json }).end(JSON.stringify(body));
      });
      const transaction = await open(server.url).transaction("write");
      await transaction.execute("SELECT 1");
      await transaction.execute("SELECT 2");
      expect([server.pipelines.length, other.pipelines.length]).toStrictEqual([1, 1]);
      expect(other.pipelines[0]?.body?.baton).toBe("first-baton");
    });

    test("that has expired is an error with that code, and closes the transaction", async () => {
      const body = '{"message":"The stream has expired due to inactivity","code":"STREAM_EXPIRED"}';
      const server = await streamed(reply(400, json, body));
      const transaction = await open(server.url).transaction("write");
      await transaction.execute("SELECT 1");
      const error = await rejection(transaction.execute("SELECT 2"));
      expect(codesOf(error)).toContain("STREAM_EXPIRED");
      checkLibsqlError(subject, error);
      expect(transaction.closed).toBe(true);
      await libsqlRejection(subject, transaction.execute("SELECT 3"), "TRANSACTION_CLOSED");
      await libsqlRejection(subject, transaction.commit(), "TRANSACTION_CLOSED");
    });

    test("that the server forgot at the commit is an error of the commit", async () => {
      const server = await streamed(reply(400, "text/plain", "Received an invalid baton"));
      const transaction = await open(server.url).transaction("write");
      await transaction.execute("SELECT 1");
      await libsqlRejection(subject, transaction.commit());
      expect(transaction.closed).toBe(true);
    });
  });
});
