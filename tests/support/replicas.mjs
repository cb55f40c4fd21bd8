// A real primary and real replicas that follow it, for tests and programs.
//
// The primary offers its log on a port of its own (`--grpc-listen-addr`); a replica is given that address
// (`--primary-grpc-url`), a folder and an HTTP port. It copies the log, answers reads from its copy and passes writes on.
// Each replica reaches the primary through a link that can be held or cut, so it can be made to lag. A link that is held
// while the primary is dead or frozen makes the replica's writes hang; one that is not answers them with a 500 at once.
import { freePort, startSqld } from "./sqld.mjs";
import { startTcpLink } from "./tcp-link.mjs";

/**
 * One replica: its server, and the link through which it follows the primary.
 *
 * @typedef {{ readonly server: import("./sqld.mjs").Sqld, readonly link: import("./tcp-link.mjs").TcpLink, readonly url: string }} Replica
 */

/**
 * Starts a primary and its replicas, and waits until each of them answers.
 *
 * @param {{ replicas?: number, args?: string[] }} [options] `replicas` (1); `args` are given to every server.
 * @returns {Promise<Replicated>}
 */
export async function startReplicas({ replicas = 1, args = [] } = {}) {
  const grpcPort = await freePort();
  const primary = await startSqld({ args: ["--grpc-listen-addr", `127.0.0.1:${grpcPort}`, ...args] });
  const pair = new Replicated(primary, grpcPort, args);
  try {
    for (let i = 0; i < replicas; i++) await pair.add();
    return pair;
  } catch (error) {
    await pair.stop();
    throw error;
  }
}

/** A primary with its replicas. Servers are stopped, frozen, killed and started by their own methods. */
export class Replicated {
  /** @type {Replica[]} */
  replicas = [];
  #grpcPort;
  #args;

  /** @param {import("./sqld.mjs").Sqld} primary @param {number} grpcPort @param {string[]} args */
  constructor(primary, grpcPort, args) {
    this.primary = primary;
    this.#grpcPort = grpcPort;
    this.#args = args;
  }

  /** The first replica. @returns {Replica} */
  get replica() {
    const [first] = this.replicas;
    if (first === undefined) throw new Error("there is no replica");
    return first;
  }

  /** Starts one more replica. @returns {Promise<Replica>} */
  async add() {
    const link = await startTcpLink(this.#grpcPort);
    try {
      const server = await startSqld({ args: ["--primary-grpc-url", `http://127.0.0.1:${link.port}`, ...this.#args] });
      const replica = { server, link, url: server.url };
      this.replicas.push(replica);
      return replica;
    } catch (error) {
      await link.close();
      throw error;
    }
  }

  /**
   * Resolves once every replica has exactly what the primary has; fails after `limitMs`. Nobody may write meanwhile.
   *
   * The indices must be equal: a primary that was killed begins its log anew, and a replica is then ahead of it for a while.
   */
  async caughtUp(limitMs = 10_000) {
    const limit = Date.now() + limitMs;
    const index = await indexOf(this.primary.url);
    for (const { url } of this.replicas) {
      while ((await indexOf(url)) !== index) {
        if (Date.now() > limit) throw new Error(`${url} did not reach index ${index} within ${limitMs} ms`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  }

  /** Ends everything and removes its folders. */
  async stop() {
    await Promise.all(this.replicas.map(({ link }) => link.close()));
    await Promise.all([this.primary, ...this.replicas.map(({ server }) => server)].map((server) => server.stop()));
  }
}

/** Index of a server in the primary's log, as it says itself. @param {string} url */
async function indexOf(url) {
  return (await pipeline(url, "SELECT 1")).replication_index;
}

/**
 * Runs one statement by plain HTTP and returns its result; a replica waits until it has `index`.
 *
 * @param {string} url
 * @param {string} sql
 * @param {string} [index]
 * @param {number} [limitMs]
 * @returns {Promise<{ rows: { value?: unknown }[][], replication_index: string | null }>}
 */
export async function pipeline(url, sql, index, limitMs = 10_000) {
  const stmt = index === undefined ? { sql } : { sql, replication_index: index };
  const response = await fetch(`${url}/v3/pipeline`, {
    method: "POST",
    body: JSON.stringify({ requests: [{ type: "execute", stmt }, { type: "close" }] }),
    signal: AbortSignal.timeout(limitMs),
  });
  const text = await response.text();
  const first = response.ok ? JSON.parse(text).results[0] : undefined;
  if (first?.type !== "ok") throw new Error(`${sql}: ${response.status} ${text}`);
  return first.response.result;
}
