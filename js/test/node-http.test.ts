import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { failureOf } from "../src/errors.ts";
import { builtinModules, NodeHttpTransport } from "../src/transport/node-http.ts";
import { openTransport } from "../src/transport/open.ts";
import { acceptEncoding, type Compression } from "../src/transport/transport.ts";
import { rejection } from "./fake-server.ts";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});

async function listen(server: Server | ReturnType<typeof createTcpServer>): Promise<URL> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => new Promise((resolve) => server.close(resolve)));
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v3/pipeline?x=1`);
}

function serve(listener: RequestListener): Promise<URL> {
  return listen(createServer(listener));
}

/** A server that does as `handle` says with each connection, numbered from 1. */
function serveRaw(handle: (socket: Socket, connection: number) => void): Promise<URL> {
  let count = 0;
  const open = new Set<Socket>();
  ends.push(() => {
    for (const socket of open) socket.destroy();
  });
  return listen(
    createTcpServer((socket) => {
      open.add(socket);
      socket.on("error", () => {}).resume();
      handle(socket, ++count);
    }),
  );
}

function transport(compression: Compression = "identity"): NodeHttpTransport {
  const opened = new NodeHttpTransport(builtinModules() as never, compression);
  ends.push(() => opened.close());
  return opened;
}

const never = new AbortController().signal;
const answer = (body: string) => `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

test("Node uses its own client unless the user brings a fetch", () => {
  expect(openTransport(undefined, undefined)).toBeInstanceOf(NodeHttpTransport);
  expect(openTransport(async () => new Response(), undefined)).not.toBeInstanceOf(NodeHttpTransport);
});

test("head and body arrive in one packet, and the connection is used again", async () => {
  const packets: string[] = [];
  let connections = 0;
  const url = await serveRaw((socket) => {
    connections++;
    socket.on("data", (data) => {
      packets.push(data.toString());
      socket.write(answer("ok"));
    });
  });
  const client = transport();
  for (const body of ["{}", "žluťoučký"]) {
    const response = await client.post(url, { authorization: "Bearer t" }, body, never);
    expect(response).toEqual({ status: 200, contentType: "", text: "ok" });
  }
  expect([packets.length, connections]).toEqual([2, 1]);
  expect(packets[1]).toMatch(/^POST \/v3\/pipeline\?x=1 HTTP\/1\.1\r\n/);
  expect(packets[1]).toContain("authorization: Bearer t\r\n");
  expect(packets[1]).toContain("accept-encoding: identity\r\n");
  expect(packets[1]).toContain(`${Buffer.byteLength("žluťoučký")}\r\n`);
  expect(packets[1]?.endsWith("\r\n\r\nžluťoučký")).toBe(true);
});

test.each(["plain ascii", "žluťoučký kůň 😀", "x".repeat(300_000), `${"x".repeat(100_001)}é`, ""])(
  "an answer is read whole, whatever its text and its chunks",
  async (text) => {
    const url = await serve((_, response) => {
      const bytes = Buffer.from(text);
      response.writeHead(503, { "content-type": "text/plain" });
      for (let i = 0; i < bytes.length; i += 33_333) response.write(bytes.subarray(i, i + 33_333));
      response.end();
    });
    expect(await transport().post(url, {}, "{}", never)).toEqual({ status: 503, contentType: "text/plain", text });
  },
);

describe("redirects", () => {
  test.each([307, 308])("%d is followed, but credentials stay with their server", async (status) => {
    const seen: (string | undefined)[] = [];
    const other = await serve((request, response) => {
      seen.push(request.headers.authorization);
      request.on("data", (body) => response.end(`${body}`));
    });
    const url = await serve((request, response) => {
      seen.push(request.headers.authorization);
      const location = request.url === "/away" ? other.href : "/away";
      response.writeHead(status, { location }).end();
    });
    const response = await transport().post(url, { authorization: "Bearer t", "content-type": "x" }, "body", never);
    expect(response).toEqual({ status: 200, contentType: "", text: "body" });
    expect(seen).toEqual(["Bearer t", "Bearer t", undefined]);
  });

  test("a circle of them ends with its status", async () => {
    const url = await serve((_, response) => response.writeHead(307, { location: "/" }).end());
    expect(await transport().post(url, {}, "{}", never)).toMatchObject({ status: 307 });
  });

  test.each(["file:///etc/passwd", "http://[", ""])("one to %j is not followed", async (location) => {
    const url = await serve((_, response) => response.writeHead(308, { location }).end());
    expect(await transport().post(url, {}, "{}", never)).toMatchObject({ status: 308 });
  });
});

describe("compression", () => {
  test.each([
    ["gzip", gzipSync("žluť".repeat(1_000)), "žluť".repeat(1_000)],
    ["deflate", deflateSync("a".repeat(1_000)), "a".repeat(1_000)],
    ["deflate", deflateRawSync("a".repeat(1_000)), "a".repeat(1_000)],
    ["br", brotliCompressSync("a".repeat(1_000)), "a".repeat(1_000)],
  ])("%s is inflated", async (encoding, bytes, text) => {
    let asked: string | undefined;
    const url = await serve((request, response) => {
      asked = request.headers["accept-encoding"];
      response.writeHead(200, { "content-encoding": encoding }).end(bytes);
    });
    expect((await transport("gzip").post(url, {}, "{}", never)).text).toBe(text);
    expect(asked).toBe("gzip");
  });

  test.each(["gzip", "zstd"])("a body that is not the %s it claims to be is BAD_RESPONSE", async (encoding) => {
    const url = await serve((_, response) => response.writeHead(200, { "content-encoding": encoding }).end("nonsense"));
    expect(await rejection(transport().post(url, {}, "{}", never))).toMatchObject({ code: "BAD_RESPONSE" });
  });

  test("auto saves bytes only on the way to another machine", () => {
    expect(acceptEncoding("auto", new URL("http://127.0.0.1:1/"))).toBe("identity");
    expect(acceptEncoding("auto", new URL("http://[::1]:1/"))).toBe("identity");
    expect(acceptEncoding("auto", new URL("https://db.example.com/"))).toBe("gzip");
  });
});

describe("failures", () => {
  const failure = async (url: URL, client = transport(), signal = never) =>
    failureOf(await rejection(client.post(url, {}, "{}", signal)));

  test("nobody listens: nothing was sent", async () => {
    const url = await serveRaw(() => {});
    await ends.pop()?.();
    expect(await failure(url)).toEqual({ status: 0, code: "CONNECT_FAILED", sent: false });
  });

  test("no such host: nothing was sent", async () => {
    expect(await failure(new URL("http://does-not-exist.invalid/"))).toMatchObject({
      code: "CONNECT_FAILED",
      sent: false,
    });
  });

  test("TLS does not come about: nothing was sent", async () => {
    const url = await serveRaw((socket) => socket.end("this is not TLS"));
    expect(await failure(new URL(url.href.replace("http:", "https:")))).toMatchObject({
      code: "CONNECT_FAILED",
      sent: false,
    });
  });

  test("closed before an answer: it may have run", async () => {
    const url = await serveRaw((socket) => socket.once("data", () => socket.resetAndDestroy()));
    expect(await failure(url)).toEqual({ status: 0, code: "CONNECTION_LOST", sent: true });
    const politely = await serveRaw((socket) => socket.once("data", () => socket.end()));
    expect(await failure(politely)).toEqual({ status: 0, code: "CONNECTION_LOST", sent: true });
  });

  test("a kept connection that dies under the next request: it may have run", async () => {
    const url = await serveRaw((socket) => {
      socket.once("data", () => {
        socket.write(answer("ok"));
        socket.once("data", () => socket.resetAndDestroy());
      });
    });
    const client = transport();
    await client.post(url, {}, "{}", never);
    expect(await failure(url, client)).toEqual({ status: 0, code: "CONNECTION_LOST", sent: true });
  });

  test("a kept connection that the server closed while idle is not used again", async () => {
    const url = await serveRaw((socket, connection) => {
      socket.on("data", () => {
        socket.write(answer(`${connection}`));
        socket.end();
      });
    });
    const client = transport();
    for (const expected of ["1", "2", "3"]) {
      expect((await client.post(url, {}, "{}", never)).text).toBe(expected);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });

  test("the answer breaks off", async () => {
    const url = await serveRaw((socket) =>
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
        setTimeout(() => socket.resetAndDestroy(), 5);
      }),
    );
    expect(await failure(url)).toEqual({ status: 200, code: "BODY_LOST", sent: true });
  });

  test("the answer is not HTTP: it may have run", async () => {
    const url = await serveRaw((socket) => socket.once("data", () => socket.end("nonsense\r\n\r\n")));
    expect(await failure(url)).toEqual({ status: 0, code: "CONNECTION_LOST", sent: true });
  });

  test("the signal ends a request at once, and its connection", async () => {
    let closed = 0;
    const url = await serveRaw((socket) => socket.on("close", () => closed++));
    const controller = new AbortController();
    const pending = failure(url, transport(), controller.signal);
    setTimeout(() => controller.abort(), 20);
    expect(await pending).toEqual({ status: 0, code: "ABORTED", sent: true });
    await expect.poll(() => closed).toBe(1);
    expect(await failure(url, transport(), controller.signal)).toEqual({ status: 0, code: "ABORTED", sent: false });
  });

  test("the signal ends an answer that does not come to its end", async () => {
    const url = await serveRaw((socket) =>
      socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx")),
    );
    const controller = new AbortController();
    const pending = failure(url, transport(), controller.signal);
    setTimeout(() => controller.abort(), 20);
    expect(await pending).toEqual({ status: 0, code: "ABORTED", sent: true });
  });
});

test("close lets go of idle connections, and of a busy one when its request has ended", async () => {
  let open = 0;
  const url = await serveRaw((socket) => {
    open++;
    socket.on("close", () => open--);
    socket.on("data", () => setTimeout(() => socket.write(answer("ok")), 20));
  });
  const client = transport();
  await client.post(url, {}, "{}", never);
  expect(open).toBe(1);
  const pending = client.post(url, {}, "{}", never);
  client.close();
  expect((await pending).text).toBe("ok");
  await expect.poll(() => open).toBe(0);
});
