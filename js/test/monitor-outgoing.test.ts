// Requests of the monitor to others: what of their answers is heeded, and what is not.
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { fetched } from "../src/monitor/outgoing.ts";

const servers: ReturnType<typeof createServer>[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function listening(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
}

const sent = (url: string, timeoutMs = 10_000) =>
  fetched({ url, method: "POST", headers: [["x-own", "1"]], body: "{}", timeoutMs });

test("the status and `retry-after` are handed on, and the request is as it was asked for", async () => {
  let seen = "";
  const url = await listening((request, response) => {
    request.on("data", (chunk) => {
      seen += `${request.method} ${request.headers["x-own"]} ${chunk}`;
    });
    request.on("end", () => response.writeHead(429, { "retry-after": "30" }).end("later"));
  });
  expect(await sent(url)).toStrictEqual({ fetched: { status: 429, retryAfter: "30" } });
  expect(seen).toBe("POST 1 {}");
});

test("a redirect is an answer: nobody else is asked", async () => {
  let asked = 0;
  const elsewhere = await listening((_, response) => {
    asked += 1;
    response.end();
  });
  const url = await listening((_, response) => response.writeHead(307, { location: elsewhere }).end());
  expect(await sent(url)).toStrictEqual({ fetched: { status: 307, retryAfter: null } });
  expect(asked).toBe(0);
});

test("an answer without an end is not read", async () => {
  let close = () => {};
  const closed = new Promise<void>((resolve) => {
    close = resolve;
  });
  const url = await listening((_, response) => {
    response.on("close", close);
    const more = () => response.write("x".repeat(65_536), () => setImmediate(more));
    more();
  });
  expect(await sent(url)).toStrictEqual({ fetched: { status: 200, retryAfter: null } });
  await closed;
});

test("who does not answer, or is not there, is a failure in words", async () => {
  const url = await listening(() => {});
  expect(await sent(url, 20)).toStrictEqual({ failed: "It did not answer within 20 ms." });
  expect(await sent("http://127.0.0.1:1/")).toStrictEqual({ failed: "It could not be reached." });
});
