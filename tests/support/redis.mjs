// A real Redis server for tests: one process on a free port, with nothing kept on disk.
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./sqld.mjs";

const START_LIMIT_MS = 15_000;

/** Servers that nobody has stopped. None outlives this process, whatever ends it, short of SIGKILL. @type {Set<Redis>} */
const unstopped = new Set();
process.on("exit", () => {
  for (const server of unstopped) server.stopNow();
});

/**
 * Starts a server and waits until it answers.
 *
 * @param {{ password?: string, args?: string[] }} [options]
 * @returns {Promise<Redis>}
 * @throws {Error} When there is no `redis-server`; a missing server fails, it does not skip.
 */
export async function startRedis(options = {}) {
  const dir = await mkdtemp(join(tmpdir(), "seawall-redis-"));
  const server = new Redis(await freePort(), dir, options.password, options.args ?? []);
  await server.start();
  return server;
}

export class Redis {
  /** @type {import("node:child_process").ChildProcess | undefined} */
  #process;
  #args;

  /** @param {number} port @param {string} dir @param {string | undefined} password @param {string[]} args */
  constructor(port, dir, password, args) {
    this.port = port;
    this.dir = dir;
    this.password = password;
    this.url = `redis://${password === undefined ? "" : `:${password}@`}127.0.0.1:${port}`;
    this.#args = args;
  }

  /** Starts the process on the same port; after `kill` this is the repair. What was stored is gone. */
  async start() {
    const secret = this.password === undefined ? [] : ["--requirepass", this.password];
    const quiet = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", this.dir];
    const child = spawn("redis-server", ["--port", String(this.port), ...quiet, ...secret, ...this.#args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let log = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk) => {
        log = (log + chunk).slice(-4_000);
      });
    }
    const ended = new Promise((resolve) => {
      child.once("error", () =>
        resolve("redis-server was not found. Run: npm run setup, or apt-get install redis-server"),
      );
      child.once("exit", () => resolve(`redis-server ended while starting:\n${log}`));
    });
    this.#process = child;
    unstopped.add(this);
    const limit = Date.now() + START_LIMIT_MS;
    while (!(await isListening(this.port))) {
      const problem = await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 20, undefined))]);
      if (problem === undefined && Date.now() < limit) continue;
      await this.stop();
      throw new Error(String(problem ?? `redis-server did not answer within ${START_LIMIT_MS} ms:\n${log}`));
    }
  }

  /** Ends the process at once, as a crash would. */
  async kill() {
    const child = this.#process;
    this.#process = undefined;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }

  /** Ends the process and removes its folder. */
  async stop() {
    await this.kill();
    unstopped.delete(this);
    await rm(this.dir, { recursive: true, force: true });
  }

  /** What `stop` does, for a process that is about to end. */
  stopNow() {
    this.#process?.kill("SIGKILL");
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** @param {number} port @returns {Promise<boolean>} */
function isListening(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}
