// An HTTP proxy in front of a server, for tests, the demo and the benchmarks: it counts what arrives, and on demand it
// is slow, hangs, answers 503, cuts the connection in the middle of an answer, or is not there at all.
import { Agent, createServer, request } from "node:http";
import { freePort } from "./sqld.mjs";

/**
 * @typedef {{ kind: "pass" }
 *   | { kind: "slow", ms: number }
 *   | { kind: "hang" }
 *   | { kind: "status", status?: number, body?: string, location?: string }
 *   | { kind: "cut", bytes?: number }
 *   | { kind: "refuse" }} Mode
 *
 * `slow` holds each request back; `hang` never answers; `status` (503) answers without the server; `cut` passes the
 * request on, then destroys the connection after `bytes` (20) of the answer's body; `refuse` stops listening.
 */

/**
 * Starts a proxy for `target`, which need not run.
 *
 * @param {string} target Address of the server, `http://host:port`.
 * @param {{ port?: number }} [options]
 * @returns {Promise<FaultProxy>}
 */
export async function startFaultProxy(target, options = {}) {
  const proxy = new FaultProxy(new URL(target), options.port ?? (await freePort()));
  await proxy.set({ kind: "pass" });
  return proxy;
}

export class FaultProxy {
  /** Requests that have arrived since the start, whatever became of them. */
  requests = 0;
  /**
   * Headers of the latest of them.
   *
   * @type {import("node:http").IncomingHttpHeaders}
   */
  latestHeaders = {};
  /** The most requests that were in progress at once. */
  concurrentMax = 0;
  /** Requests in progress. */
  concurrent = 0;
  /** @type {Mode} */
  mode = { kind: "refuse" };
  #target;
  /** @type {import("node:http").Server | undefined} */
  #server;
  /** @type {Set<import("node:net").Socket>} */
  #sockets = new Set();
  #agent = new Agent({ keepAlive: true });

  /** @param {URL} target @param {number} port */
  constructor(target, port) {
    this.#target = target;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  /**
   * Changes what happens to requests from here on. Those that wait or hang stay as they are, except that `refuse`
   * destroys every connection, as a crash would.
   *
   * @param {Mode} mode
   */
  async set(mode) {
    this.mode = mode;
    if (mode.kind === "refuse") await this.#stop();
    else await this.#listen();
  }

  /** Stops listening and destroys every connection. */
  async close() {
    this.mode = { kind: "refuse" };
    await this.#stop();
    this.#agent.destroy();
  }

  async #listen() {
    if (this.#server) return;
    const server = createServer((incoming, answer) => this.#handle(incoming, answer));
    this.#server = server;
    server.keepAliveTimeout = 60_000;
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    await new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.port, "127.0.0.1", () => resolve(undefined));
    });
  }

  async #stop() {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** @param {import("node:http").IncomingMessage} incoming @param {import("node:http").ServerResponse} answer */
  #handle(incoming, answer) {
    const { mode } = this;
    this.requests += 1;
    this.latestHeaders = incoming.headers;
    this.concurrent += 1;
    this.concurrentMax = Math.max(this.concurrentMax, this.concurrent);
    answer.once("close", () => {
      this.concurrent -= 1;
    });
    answer.on("error", () => {});
    incoming.on("error", () => {});
    switch (mode.kind) {
      case "slow": {
        const timer = setTimeout(() => this.#forward(incoming, answer, undefined), mode.ms);
        answer.once("close", () => clearTimeout(timer));
        return;
      }
      case "hang":
        incoming.resume();
        return;
      case "status":
        incoming.resume();
        answer.writeHead(mode.status ?? 503, {
          "content-type": "text/plain",
          ...(mode.location !== undefined && { location: mode.location }),
        });
        answer.end(mode.body ?? "Service Unavailable");
        return;
      case "refuse":
        incoming.destroy();
        return;
      default:
        this.#forward(incoming, answer, mode.kind === "cut" ? (mode.bytes ?? 20) : undefined);
    }
  }

  /**
   * @param {import("node:http").IncomingMessage} incoming
   * @param {import("node:http").ServerResponse} answer
   * @param {number | undefined} bytesMax
   */
  #forward(incoming, answer, bytesMax) {
    const upstream = request(
      new URL(incoming.url ?? "/", this.#target),
      { method: incoming.method, headers: { ...incoming.headers, host: this.#target.host }, agent: this.#agent },
      (found) => {
        answer.writeHead(found.statusCode ?? 502, found.headers);
        found.on("error", () => answer.destroy());
        if (bytesMax === undefined) {
          found.pipe(answer);
          return;
        }
        let left = bytesMax;
        found.on("data", (/** @type {Buffer} */ chunk) => {
          if (left <= 0) return;
          const part = chunk.subarray(0, left);
          left -= part.length;
          answer.write(part, () => left <= 0 && answer.destroy());
        });
        found.on("end", () => answer.destroy());
      },
    );
    upstream.on("error", () => answer.destroy());
    answer.once("close", () => upstream.destroy());
    incoming.pipe(upstream);
  }
}
