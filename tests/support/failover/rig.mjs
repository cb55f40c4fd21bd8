// Three real databases, a primary and two replicas that follow it, each behind a proxy that stands for the network; and
// one client that has all three.
import { startFaultProxy } from "../fault-proxy.mjs";
import { pipeline, startReplicas } from "../replicas.mjs";

/** Names of the databases, the primary first. */
export const NAMES = /** @type {const} */ (["primary", "replica-1", "replica-2"]);
/** What each request takes on its way, in milliseconds. */
export const AWAY_MS = 5;
/** How much slower a slow database is. */
const SLOW_FACTOR = 10;
export const FAULTS = /** @type {const} */ (["killed", "hung", "slow"]);

/** @typedef {typeof NAMES[number]} Name */
/** @typedef {typeof FAULTS[number]} Fault */
/** @typedef {import("../fault-proxy.mjs").FaultProxy} FaultProxy */

/** @returns {Promise<FailoverRig>} */
export async function startFailoverRig() {
  const servers = await startReplicas({ replicas: 2 });
  const rig = new FailoverRig(servers);
  try {
    await rig.open();
    return rig;
  } catch (error) {
    await rig.stop();
    throw error;
  }
}

export class FailoverRig {
  /** @type {FaultProxy[]} */
  proxies = [];
  #servers;

  /** @param {import("../replicas.mjs").Replicated} servers */
  constructor(servers) {
    this.#servers = servers;
  }

  async open() {
    const { primary, replicas } = this.#servers;
    await pipeline(primary.url, "CREATE TABLE IF NOT EXISTS items (id INTEGER PRIMARY KEY, name TEXT)");
    await pipeline(primary.url, "CREATE TABLE IF NOT EXISTS writes (id TEXT)");
    await pipeline(primary.url, "INSERT INTO items (name) VALUES ('one'), ('two'), ('three')");
    await this.#servers.caughtUp();
    for (const url of [primary.url, ...replicas.map((replica) => replica.url)]) {
      const proxy = await startFaultProxy(url);
      this.proxies.push(proxy);
      await proxy.set({ kind: "slow", ms: AWAY_MS });
    }
  }

  /** Addresses of the databases, in the order of {@link NAMES}. @returns {string[]} */
  get urls() {
    return this.proxies.map(({ url }) => url);
  }

  /**
   * Settings of a client that has all three.
   *
   * @param {object} [seawall]
   */
  config(seawall = {}) {
    const [url = "", ...others] = this.urls;
    const replicas = others.map((other, place) => ({ url: other, name: NAMES[place + 1] ?? "" }));
    return { url, seawall: { replicas, connectionPool: { maxConnections: 10 }, ...seawall } };
  }

  /** @param {Name} name @param {Fault} fault */
  async break(name, fault) {
    if (fault === "killed") await this.#server(name).kill();
    else if (fault === "hung") this.#server(name).freeze();
    else await this.#proxy(name).set({ kind: "slow", ms: AWAY_MS * SLOW_FACTOR });
  }

  /** @param {Name} name @param {Fault} fault */
  async mend(name, fault) {
    if (fault === "killed") await this.#server(name).start();
    else if (fault === "hung") this.#server(name).thaw();
    else await this.#proxy(name).set({ kind: "slow", ms: AWAY_MS });
  }

  /** How often each id was written, as the primary says. @returns {Promise<Map<string, number>>} */
  async written() {
    const { rows } = await pipeline(this.#servers.primary.url, "SELECT id, count(*) FROM writes GROUP BY id");
    return new Map(rows.map(([id, count]) => [String(id?.value), Number(count?.value)]));
  }

  async stop() {
    for (const name of NAMES) this.#server(name)?.thaw();
    await Promise.all(this.proxies.map((proxy) => proxy.close()));
    await this.#servers.stop();
  }

  /** @param {Name} name */
  #server(name) {
    const place = NAMES.indexOf(name);
    return place === 0
      ? this.#servers.primary
      : /** @type {import("../replicas.mjs").Replica} */ (this.#servers.replicas[place - 1]).server;
  }

  /** @param {Name} name */
  #proxy(name) {
    return /** @type {FaultProxy} */ (this.proxies[NAMES.indexOf(name)]);
  }
}
