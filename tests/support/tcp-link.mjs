// A TCP connection that can be held: what was sent arrives late, and nobody is told. Between a replica and its primary it
// makes a replica that lags for as long as a test wants, while both of them are well.
import { connect, createServer } from "node:net";
import { freePort } from "./sqld.mjs";

/**
 * Starts a link to a port of the loopback interface, where nothing need listen yet.
 *
 * @param {number} target
 * @returns {Promise<TcpLink>}
 */
export async function startTcpLink(target) {
  const link = new TcpLink(target, await freePort());
  await link.listen();
  return link;
}

export class TcpLink {
  #target;
  #server;
  #isHeld = false;
  /** @type {Set<import("node:net").Socket>} */
  #sockets = new Set();
  /** Ends of connections that the other side has not heard of. @type {(() => void)[]} */
  #ends = [];

  /** @param {number} target @param {number} port */
  constructor(target, port) {
    this.#target = target;
    this.port = port;
    this.#server = createServer((near) => this.#join(near, connect(this.#target, "127.0.0.1")));
  }

  /** @returns {Promise<void>} */
  listen() {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.port, "127.0.0.1", () => resolve());
    });
  }

  /** From here on nothing passes, in either direction; new connections are accepted and wait as well. */
  hold() {
    this.#isHeld = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** Lets everything that was held pass, in order. */
  release() {
    this.#isHeld = false;
    for (const end of this.#ends.splice(0)) end();
    for (const socket of this.#sockets) socket.resume();
  }

  /** Cuts every connection, as a router that restarts would; new ones are accepted. */
  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** @returns {Promise<void>} */
  close() {
    this.cut();
    for (const end of this.#ends.splice(0)) end();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  /** @param {import("node:net").Socket} near @param {import("node:net").Socket} far */
  #join(near, far) {
    this.#pass(near, far);
    this.#pass(far, near);
  }

  /** @param {import("node:net").Socket} from @param {import("node:net").Socket} to */
  #pass(from, to) {
    this.#sockets.add(from);
    from.setNoDelay(true);
    from.on("data", (chunk) => to.write(chunk));
    from.on("end", () => to.end());
    // What an error means to the other side, `close` tells it.
    from.on("error", () => {});
    from.on("close", () => {
      this.#sockets.delete(from);
      if (this.#isHeld) this.#ends.push(() => to.destroy());
      else to.destroy();
    });
    if (this.#isHeld) from.pause();
  }
}
