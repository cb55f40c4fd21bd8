// Everything outside of a host, for tests: a real HTTP server on the loopback interface that all of its requests go
// through, whoever they are meant for. Nothing leaves the machine.
import { createServer, request as send } from "node:http";

/** More of a body is not kept, in characters. */
const BODY_MAX = 1_000_000;

/**
 * A request that left. `url` is whom it was meant for; `isClosed` once nobody listens to the answer any more, or it has
 * ended.
 *
 * @typedef {{
 *   readonly url: string,
 *   readonly method: string,
 *   readonly headers: Record<string, string>,
 *   readonly body: string,
 *   isClosed: boolean,
 * }} Left
 *
 * How a receiver answers. It may write what it wants to, also past the end of HTTP; it must stop when it is closed.
 *
 * @typedef {(response: import("node:http").ServerResponse, left: Left) => void} Receiver
 */

/** Takes what is sent, as receivers should. @type {Receiver} */
const takes = (response) => response.writeHead(204).end();

/** Starts it. @returns {Promise<Outside>} */
export async function startOutside() {
  const outside = new Outside();
  await outside.listen();
  return outside;
}

export class Outside {
  /** What left for anybody but the database, in its order. @type {Left[]} */
  left = [];
  /** How receivers answer. @type {Receiver} */
  receiver = takes;
  /** The address that is the database's own: what is meant for it gets there. */
  database = "";
  /** Host and port of this. */
  address = "";
  // A request to a proxy needs no header `host`.
  #server = createServer({ maxHeaderSize: 65_536, requireHostHeader: false }, (incoming, response) =>
    this.#took(incoming, response),
  );

  /** Forgets what left, and takes what is sent. */
  reset() {
    this.left = [];
    this.receiver = takes;
  }

  async listen() {
    this.#server.keepAliveTimeout = 60_000;
    await new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(0, "127.0.0.1", () => resolve(undefined));
    });
    const { port } = /** @type {import("node:net").AddressInfo} */ (this.#server.address());
    this.address = `127.0.0.1:${port}`;
  }

  async stop() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** What Workers get as their network. */
  get service() {
    // Style 1: the request line has the whole address, as for a proxy.
    return { external: { address: this.address, http: { style: /** @type {const} */ (1) } } };
  }

  /**
   * `fetch` for Node: what is meant for another host than this machine arrives here.
   *
   * @param {typeof fetch} real @returns {typeof fetch}
   */
  fetchOver(real) {
    return (input, init) => {
      const { href, hostname } = new URL(input instanceof Request ? input.url : input);
      if (hostname === "127.0.0.1" || hostname === "localhost") return real(input, init);
      const headers = new Headers(init?.headers);
      headers.set("x-meant-for", href);
      return real(`http://${this.address}/`, { ...init, headers });
    };
  }

  /** @param {import("node:http").IncomingMessage} incoming @param {import("node:http").ServerResponse} response */
  #took(incoming, response) {
    const { "x-meant-for": meantFor, ...headers } = incoming.headers;
    const url = typeof meantFor === "string" ? meantFor : (incoming.url ?? "");
    incoming.on("error", () => {});
    response.on("error", () => {});
    if (this.database !== "" && url.startsWith(`${this.database}/`)) {
      forward(incoming, response, url);
      return;
    }
    let body = "";
    incoming.setEncoding("utf8").on("data", (chunk) => {
      if (body.length < BODY_MAX) body += chunk;
    });
    incoming.on("end", () => {
      const texts = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
      /** @type {Left} */
      const left = { url, method: incoming.method ?? "", headers: texts, body, isClosed: false };
      this.left.push(left);
      response.once("close", () => {
        left.isClosed = true;
      });
      this.receiver(response, left);
    });
  }
}

/** @param {import("node:http").IncomingMessage} incoming @param {import("node:http").ServerResponse} response @param {string} url */
function forward(incoming, response, url) {
  const target = new URL(url);
  const onward = send(
    target,
    { method: incoming.method, headers: { ...incoming.headers, host: target.host } },
    (found) => {
      response.writeHead(found.statusCode ?? 502, found.headers);
      found.on("error", () => response.destroy());
      found.pipe(response);
    },
  );
  onward.on("error", () => response.destroy());
  response.once("close", () => onward.destroy());
  incoming.pipe(onward);
}
