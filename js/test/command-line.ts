// The command line as operators run it, the bundle of js/dist, and a server for it to ask: a real monitor over a real database.
import { type ChildProcess, spawn } from "node:child_process";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { createClient, type LoggingOptions } from "seawall";
import { createMonitor, type Monitor, type MonitorOptions } from "seawall/monitor";
import { strongMemoryStore } from "seawall/stores/memory";
import { startSqld } from "../../tests/support/sqld.mjs";

export const CLI = fileURLToPath(new URL("../dist/cli.js", import.meta.url));
export const TOKEN = "a-token-that-nobody-may-see-anywhere-0123456789";

export interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Nothing of this machine's own may say whom to ask, or in which colours. */
export function environment(variables: Record<string, string> = {}): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env;
  return { PATH, HOME, TERM: "xterm", XDG_CONFIG_HOME: "/nonexistent", ...variables };
}

/** Starts it with pipes. */
export function start(args: readonly string[], variables: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [CLI, ...args], { env: environment(variables) });
}

/** Runs it with pipes to its end. */
export function run(args: readonly string[], variables: Record<string, string> = {}, stdin = ""): Promise<Ended> {
  const child = start(args, variables);
  child.stdin?.end(stdin);
  return endOf(child);
}

/** Runs a line of bash in which `$CLI` is the command. */
export function shell(line: string, variables: Record<string, string> = {}): Promise<Ended> {
  const text = `set -o pipefail; ${line.replaceAll("$CLI", `'${process.execPath}' '${CLI}'`)}`;
  return endOf(spawn("bash", ["-c", text], { env: environment(variables) }));
}

/** Runs it on a terminal, where stdout and stderr are one. `typed` is typed when something is asked, or else ends what could be. */
export async function onTerminal(
  args: readonly string[],
  variables: Record<string, string> = {},
  typed?: string,
): Promise<Ended> {
  const line = [process.execPath, CLI, ...args].map((word) => `'${word}'`).join(" ");
  const child = spawn("script", ["-qec", line, "/dev/null"], { env: environment({ SHELL: "/bin/sh", ...variables }) });
  if (typed === undefined) child.stdin?.end();
  else
    child.stdout?.once("data", function answer(text: Buffer) {
      if (!/\[y\/N\]|to go on:/.test(String(text))) child.stdout?.once("data", answer);
      else if (typed === "") child.stdin?.end();
      else child.stdin?.write(typed);
    });
  const ended = await endOf(child);
  return { ...ended, stdout: ended.stdout.replaceAll("\r\n", "\n") };
}

export function endOf(child: ChildProcess): Promise<Ended> {
  let [stdout, stderr] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, stdout, stderr }));
  });
}

/** A server on a free port. */
export async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A monitor behind a server of Node's. What `hear` says is `"lost"` is done, and nobody is told. */
export function serveMonitor(monitor: Monitor, hear: (request: IncomingMessage) => unknown = () => {}) {
  return serve(async (request, response) => {
    const isLost = (await hear(request)) === "lost";
    const headers = Object.entries(request.headers).map(([name, value]): [string, string] => [name, String(value)]);
    const { method = "GET" } = request;
    const body = method === "GET" ? {} : { body: Readable.toWeb(request) as ReadableStream, duplex: "half" };
    const init = { method, headers, ...body } as RequestInit;
    const answer = await monitor.handle(new Request(`http://127.0.0.1${request.url}`, init));
    if (isLost) return void request.socket.destroy();
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    response.end(await answer.text());
  });
}

/** A database that nobody asks, and what operators order about it. */
export async function startOperated(options: Partial<MonitorOptions> = {}) {
  const databases = { primary: { seawall: { status: () => ({}), healthCheck: async () => true } } };
  const monitor = createMonitor({ databases, store: strongMemoryStore(), adminToken: TOKEN, ...options });
  const asked: string[] = [];
  let before: (request: string) => unknown = () => {};
  const server = await serveMonitor(monitor, async ({ method, url }) => {
    asked.push(`${method} ${url}`);
    return before(`${method} ${url}`);
  });
  async function order<T>(method: string, path: string, body?: object): Promise<T> {
    const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", "if-match": "*" };
    const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) };
    const answer = await monitor.handle(new Request(`http://127.0.0.1/admin/api${path}`, init));
    if (!answer.ok) throw new Error(`${method} ${path} ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }
  return {
    monitor,
    where: { SEAWALL_URL: server.url, SEAWALL_ADMIN_TOKEN: TOKEN },
    /** What was asked for, with its method. */
    asked,
    /** Asks past the command line. */
    order,
    /** Does something before the next request like that is answered. */
    once(like: RegExp, work: () => unknown) {
      before = async (request) => {
        if (!like.test(request)) return;
        before = () => {};
        return work();
      };
    },
    /** Whom a token of that role lets in. */
    async as(role: string) {
      const { secret } = await order<{ secret: string }>("POST", "/tokens", { label: role, role, reason: "a test" });
      return { SEAWALL_URL: server.url, SEAWALL_ADMIN_TOKEN: secret };
    },
    async stop() {
      await server.stop();
      monitor.close();
    },
  };
}

/** A real database, a client, and the monitor of both behind a server of Node's. */
export async function startWatched(options: Partial<MonitorOptions> = {}, logging: LoggingOptions = {}) {
  const sqld = await startSqld();
  const primary = createClient({
    url: sqld.url,
    seawall: { circuitBreaker: { failureThreshold: 2, recoveryTimeout: 3_600_000 }, retry: { attempts: 1 }, logging },
  });
  const monitor = createMonitor({ databases: { primary }, adminToken: TOKEN, ...options });
  const asked: string[] = [];
  const server = await serveMonitor(monitor, ({ url }) => asked.push(url ?? ""));
  return {
    url: server.url,
    sqld,
    primary,
    monitor,
    /** Paths that were asked for. */
    asked,
    async stop() {
      await server.stop();
      monitor.close();
      primary.close();
      await sqld.stop();
    },
  };
}
