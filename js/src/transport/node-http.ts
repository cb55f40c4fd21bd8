// Node's own HTTP client: a third of the CPU time of its `fetch` for the same request.
//
// The modules come from `process.getBuiltinModule`, never from an import, so that bundles for other runtimes stay free of
// them. A request is one write (head and body together), which is what lets a failed write prove that nothing arrived whole.
import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import type { Socket } from "node:net";
import { badResponse } from "../hrana/decode.ts";
import {
  aborted,
  acceptEncoding,
  bodyLost,
  type Compression,
  connectFailed,
  connectionLost,
  type Transport,
  type WireResponse,
} from "./transport.ts";

/** How long an idle connection is kept, in milliseconds: less than servers and proxies usually do. */
const IDLE_LIFE_MS = 15_000;
/** Largest inflated answer, in bytes. */
const INFLATED_MAX = 256 * 1024 * 1024;

export interface BuiltinModules {
  http: typeof import("node:http");
  https: typeof import("node:https");
  zlib: typeof import("node:zlib");
  buffer: typeof import("node:buffer");
}

/** Node's modules, if this is Node itself and not a runtime that resembles it. */
export function builtinModules(): BuiltinModules | undefined {
  const host = globalThis as {
    process?: NodeJS.Process;
    Bun?: unknown;
    Deno?: unknown;
    EdgeRuntime?: unknown;
    WebSocketPair?: unknown;
  };
  if (host.Bun || host.Deno || host.EdgeRuntime || host.WebSocketPair) return undefined;
  const { process } = host;
  if (process?.release?.name !== "node" || typeof process.getBuiltinModule !== "function") return undefined;
  return {
    http: process.getBuiltinModule("node:http"),
    https: process.getBuiltinModule("node:https"),
    zlib: process.getBuiltinModule("node:zlib"),
    buffer: process.getBuiltinModule("node:buffer"),
  };
}

/** The option of a request that says which of the pool's connections it uses. */
const CONNECTION = "seawallConnection";

/** Redirects followed for one request. */
const REDIRECTS_MAX = 3;

interface Answer extends WireResponse {
  /** Where the same request should go instead. */
  location: string | undefined;
}

interface Target {
  agent: Agent;
  request: typeof import("node:http").request;
  options: { hostname: string; port: string; path: string };
}

export class NodeHttpTransport implements Transport {
  readonly #builtins: BuiltinModules;
  readonly #compression: Compression;
  readonly #targets = new Map<URL, Target>();
  #httpAgent: Agent | undefined;
  #httpsAgent: Agent | undefined;
  #inFlight = 0;
  #lastEndMs = 0;
  #isClosed = false;

  constructor(builtins: BuiltinModules, compression: Compression) {
    this.#builtins = builtins;
    this.#compression = compression;
  }

  async post(
    url: URL,
    headers: Record<string, string>,
    body: string,
    signal: AbortSignal,
    connection = 0,
  ): Promise<WireResponse> {
    let target = url;
    let answer = await this.#request(target, headers, body, signal, connection);
    for (let hops = 0; answer.location !== undefined && hops < REDIRECTS_MAX; hops++) {
      const next = URL.canParse(answer.location, target) ? new URL(answer.location, target) : undefined;
      if (next?.protocol !== "http:" && next?.protocol !== "https:") break;
      // Credentials are for the server that they were given for.
      const sent = next.origin === url.origin ? headers : { "content-type": headers["content-type"] as string };
      target = next;
      answer = await this.#request(target, sent, body, signal, connection);
    }
    const { status, contentType, text } = answer;
    return { status, contentType, text };
  }

  #request(
    url: URL,
    headers: Record<string, string>,
    body: string,
    signal: AbortSignal,
    connection: number,
  ): Promise<Answer> {
    if (signal.aborted) return Promise.reject(aborted(false));
    const { agent, request, options } = this.#target(url);
    this.#dropStale();
    return new Promise((resolve, reject) => {
      let isConnected = false;
      let response: IncomingMessage | undefined;
      const init: RequestOptions & { [CONNECTION]: number } = {
        ...options,
        [CONNECTION]: connection,
        method: "POST",
        agent,
        headers: { ...headers, "accept-encoding": acceptEncoding(this.#compression, url) },
      };
      const req: ClientRequest = request(init);
      const end = () => {
        signal.removeEventListener("abort", abort);
        this.#ended();
      };
      const fail = (error: unknown) => {
        end();
        reject(error);
      };
      const abort = () => {
        fail(aborted(isConnected));
        req.destroy();
      };
      this.#inFlight++;
      signal.addEventListener("abort", abort, { once: true });

      req.once("socket", (socket: Socket) => {
        if (!socket.connecting) isConnected = true;
        else socket.once("encrypted" in socket ? "secureConnect" : "connect", () => (isConnected = true));
      });
      req.once("error", (error: NodeJS.ErrnoException) => {
        if (signal.aborted) return;
        if (response) fail(bodyLost(url, response.statusCode ?? 0, error));
        else if (!isConnected) fail(connectFailed(url, error));
        else fail(connectionLost(url, error, !isUnwritten(error, url)));
      });
      req.once("response", (res: IncomingMessage) => {
        response = res;
        const chunks: Buffer[] = [];
        res.on("data", (chunk: Buffer) => chunks.push(chunk));
        res.once("error", (error) => signal.aborted || fail(bodyLost(url, res.statusCode ?? 0, error)));
        res.once("end", () => {
          end();
          const status = res.statusCode ?? 0;
          const contentType = res.headers["content-type"] ?? "";
          this.#read(res.headers["content-encoding"], chunks, (text) => {
            if (text === undefined) reject(badResponse(status, "the body could not be inflated"));
            else
              resolve({ status, contentType, text, location: isRedirect(status) ? res.headers.location : undefined });
          });
        });
      });
      req.end(body);
    });
  }

  /** Closes idle connections now, and the others when their request has ended. */
  close(): void {
    this.#isClosed = true;
    if (this.#inFlight === 0) this.#destroyAgents();
  }

  #target(url: URL): Target {
    let target = this.#targets.get(url);
    if (target === undefined) {
      const isTls = url.protocol === "https:";
      const module = isTls ? this.#builtins.https : this.#builtins.http;
      const hostname = url.hostname.replace(/^\[|\]$/g, "");
      target = {
        agent: this.#agent(isTls),
        request: module.request,
        options: { hostname, port: url.port, path: url.pathname + url.search },
      };
      // A server that names a new address for every stream must not fill the memory.
      if (this.#targets.size >= 32) this.#targets.clear();
      this.#targets.set(url, target);
    }
    return target;
  }

  #agent(isTls: boolean): Agent {
    const options = { keepAlive: true, noDelay: true, scheduling: "lifo", timeout: IDLE_LIFE_MS } as const;
    if (isTls) {
      this.#httpsAgent ??= byConnection(new this.#builtins.https.Agent(options));
      return this.#httpsAgent;
    }
    this.#httpAgent ??= byConnection(new this.#builtins.http.Agent(options));
    return this.#httpAgent;
  }

  /**
   * Whether the idle socket of a connection still works, if it has one. What the server closed while this process was
   * frozen is heard of in the next turns of the event loop; what is due for its age goes in them as well.
   */
  async check(connection: number): Promise<boolean> {
    const before = this.#idleSockets(connection);
    for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
    return before.every((socket) => !socket.destroyed && socket.readable && socket.writable);
  }

  /** After this turn, so that the socket of the last request is back among the idle ones. */
  retire(connection: number): void {
    setImmediate(() => {
      for (const socket of this.#idleSockets(connection)) socket.destroy();
    });
  }

  #idleSockets(connection: number): Socket[] {
    const agents = [this.#httpAgent, this.#httpsAgent];
    const named = agents.flatMap((agent) => Object.entries(agent?.freeSockets ?? {}));
    return named
      .filter(([name]) => name.endsWith(`:${CONNECTION}${connection}`))
      .flatMap(([, idle]) => [...(idle ?? [])]);
  }

  /**
   * A frozen function wakes with connections that the server closed long ago, before any timer has run. Those idle
   * for longer than they may be are dropped here; all of them are, when the latest request ended that long ago.
   */
  #dropStale(): void {
    if (this.#inFlight > 0 || this.#lastEndMs === 0 || Date.now() - this.#lastEndMs <= IDLE_LIFE_MS) return;
    for (const agent of [this.#httpAgent, this.#httpsAgent]) {
      for (const sockets of Object.values(agent?.freeSockets ?? {})) {
        for (const socket of [...(sockets ?? [])]) socket.destroy();
      }
    }
  }

  #ended(): void {
    this.#inFlight--;
    this.#lastEndMs = Date.now();
    // After this turn, so that the socket of the last request is back among the idle ones.
    if (this.#isClosed && this.#inFlight === 0) setImmediate(() => this.#destroyAgents());
  }

  #destroyAgents(): void {
    this.#httpAgent?.destroy();
    this.#httpsAgent?.destroy();
  }

  #read(encoding: string | undefined, chunks: Buffer[], done: (text: string | undefined) => void): void {
    if (encoding === undefined || encoding === "identity") {
      done(this.#decode(chunks));
      return;
    }
    const finish = (error: Error | null, inflated: Buffer) => done(error ? undefined : this.#decode([inflated]));
    const { zlib } = this.#builtins;
    const body = Buffer.concat(chunks);
    const limit = { maxOutputLength: INFLATED_MAX };
    if (encoding === "gzip" || encoding === "x-gzip") zlib.gunzip(body, limit, finish);
    else if (encoding === "br") zlib.brotliDecompress(body, limit, finish);
    else if (encoding !== "deflate") done(undefined);
    // Some servers mean the bare format by it: the other one starts with an 8.
    else if (((body[0] ?? 0) & 0x0f) === 8) zlib.inflate(body, limit, finish);
    else zlib.inflateRaw(body, limit, finish);
  }

  /** Pure ASCII, which most answers are, needs neither one large buffer nor the slower decoder. */
  #decode(chunks: Buffer[]): string {
    const { isAscii } = this.#builtins.buffer;
    if (chunks.every((chunk) => isAscii(chunk))) return chunks.map((chunk) => chunk.toString("latin1")).join("");
    return Buffer.concat(chunks).toString();
  }
}

/**
 * Whether the operating system refused the write itself, so that the server cannot have read the request whole: it had
 * closed an idle connection before. Not claimed for TLS, where a write may be split or concern the protocol itself.
 */
function isUnwritten(error: NodeJS.ErrnoException, url: URL): boolean {
  return (
    url.protocol === "http:" && error.syscall === "write" && (error.code === "EPIPE" || error.code === "ECONNRESET")
  );
}

/** Lets an agent keep the sockets of each of the pool's connections apart. */
function byConnection<Of extends Agent>(agent: Of): Of {
  const nameOf = agent.getName.bind(agent);
  agent.getName = (options) =>
    `${nameOf(options)}:${CONNECTION}${(options as { [CONNECTION]?: number } | undefined)?.[CONNECTION] ?? 0}`;
  return agent;
}

/** Only those that keep method and body: the others turn a POST into a GET. */
function isRedirect(status: number): boolean {
  return status === 307 || status === 308;
}
