// In Node a connection of the pool is a socket: how many there are, when they are opened, and when they are closed.

import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { createClient } from "../src/client.ts";
import type { SeawallOptions } from "../src/config/options.ts";
import { builtinModules, NodeHttpTransport } from "../src/transport/node-http.ts";
import { type Asked, obliging } from "./fake-server.ts";

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A server that keeps connections alive, answers every query, and knows how many sockets there were and are. */
async function counting() {
  const open = new Set<Socket>();
  let total = 0;
  let queries = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = JSON.parse(Buffer.concat(chunks).toString());
      queries += body.requests?.length > 1 ? 1 : 0;
      const answer = body.requests === undefined ? { body } : obliging({ body } as Asked);
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(answer));
    });
  });
  server.keepAliveTimeout = 60_000;
  server.on("connection", (socket: Socket) => {
    total += 1;
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  return {
    url,
    open,
    total: () => total,
    queries: () => queries,
    /** Lets the event loop turn until so many are open. */
    async until(count: number) {
      for (let turn = 0; turn < 100_000 && open.size !== count; turn += 1) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(open.size).toBe(count);
    },
  };
}

function transport(): NodeHttpTransport {
  const opened = new NodeHttpTransport(builtinModules() as never, "identity");
  ends.push(() => opened.close());
  return opened;
}

function clientOf(url: URL, connectionPool: NonNullable<SeawallOptions["connectionPool"]>) {
  const client = createClient({ url: url.href, seawall: { connectionPool } });
  ends.push(() => client.close());
  return client;
}

const never = new AbortController().signal;

test("each connection has a socket of its own, and uses it again", async () => {
  const server = await counting();
  const client = transport();
  for (let round = 0; round < 5; round += 1) {
    for (const connection of [1, 2, 3]) await client.post(server.url, {}, "{}", never, connection);
  }
  expect(server.total()).toBe(3);
});

test("POOL-16: the socket of a connection that is given up is closed, and no other", async () => {
  const server = await counting();
  const client = transport();
  for (const connection of [1, 2, 12]) await client.post(server.url, {}, "{}", never, connection);
  client.retire(2);
  await server.until(2);
  for (const connection of [1, 12]) await client.post(server.url, {}, "{}", never, connection);
  expect(server.total()).toBe(3);
});

test("POOL-12: a check finds out that the server has closed the socket, before anything is sent on it", async () => {
  const server = await counting();
  const client = transport();
  expect(await client.check(1)).toBe(true);
  await client.post(server.url, {}, "{}", never, 1);
  expect(await client.check(1)).toBe(true);
  for (const socket of server.open) socket.destroy();
  expect(await client.check(1)).toBe(false);
  expect(await client.check(2)).toBe(true);
  await client.post(server.url, {}, "{}", never, 1);
  expect(server.total()).toBe(2);
});

test("POOL-33: a hundred queries in a row use one socket", async () => {
  const server = await counting();
  const client = clientOf(server.url, { maxConnections: 5 });
  for (let query = 0; query < 100; query += 1) await client.execute("SELECT 1");
  expect([server.queries(), server.total()]).toEqual([100, 1]);
});

test("POOL-05: a thousand queries at once use no more sockets than connections", async () => {
  const server = await counting();
  const client = clientOf(server.url, { maxConnections: 3 });
  const all = Array.from({ length: 1_000 }, (_, number) => client.execute(`SELECT ${number}`));
  expect(await Promise.all(all)).toHaveLength(1_000);
  expect([server.queries(), server.total()]).toEqual([1_000, 3]);
});

test("POOL-21: warm sockets are there before the first query, which opens none", async () => {
  const server = await counting();
  const client = clientOf(server.url, { maxConnections: 4, initialConnections: 3 });
  await client.seawall.warm();
  await server.until(3);
  expect(server.queries()).toBe(0);
  await Promise.all([1, 2, 3].map((number) => client.execute(`SELECT ${number}`)));
  expect([server.queries(), server.total()]).toEqual([3, 3]);
});

test("POOL-16: after maxUses a connection gets a new socket, and its old one is closed", async () => {
  const server = await counting();
  const client = clientOf(server.url, { maxUses: 10 });
  for (let query = 0; query < 30; query += 1) await client.execute("SELECT 1");
  expect(server.total()).toBe(3);
  await server.until(0);
});

test("POOL-09: cleanup closes sockets: idle ones, one, all", async () => {
  const server = await counting();
  const client = clientOf(server.url, { maxConnections: 4 });
  const four = () => Promise.all([1, 2, 3, 4].map((number) => client.execute(`SELECT ${number}`)));
  await four();
  await server.until(4);
  expect(client.seawall.cleanup(client.seawall.connections()[0]?.id ?? 0)).toBe(1);
  await server.until(3);
  expect(client.seawall.cleanup("idle")).toBe(3);
  await server.until(0);
  await four();
  expect(client.seawall.cleanup("all")).toBe(4);
  await server.until(0);
  expect(server.total()).toBe(8);
});

test("an interactive transaction stays on the socket of its connection", async () => {
  const server = await counting();
  const client = clientOf(server.url, { maxConnections: 2 });
  await client.execute("SELECT 1");
  const transaction = await client.transaction("write");
  for (let number = 0; number < 5; number += 1) await transaction.execute("INSERT INTO t VALUES (1)");
  await transaction.commit();
  expect(server.total()).toBe(1);
});
