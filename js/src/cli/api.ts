// Asks the routes of a Worker, or of `handle` of `seawall/monitor`, over HTTP. It decides what is no answer.

import { randomUUID } from "node:crypto";
import { NEVER_CONNECTED } from "../transport/never-connected.ts";
import { CliError, EXIT } from "./exit.ts";
import { printable } from "./printable.ts";
import type { Endpoint } from "./settings.ts";
import type { Terminal } from "./terminal.ts";

/** Longest answer that is read, in bytes. */
const BODY_MAX = 8 << 20;

interface Problem {
  code?: unknown;
  detail?: unknown;
}

/** What operators said shall hold, as its route shows it. */
export interface Order<Value = Record<string, unknown>> {
  /** 0 while there is none; `value` is null then. */
  version: number;
  updatedAt: string | null;
  by: string | null;
  reason: string | null;
  value: Value | null;
}

interface Question {
  method: string;
  headers: Record<string, string>;
  body?: string;
}

/** One command's way to its server. */
export class Api {
  readonly #endpoint: Endpoint;
  readonly #terminal: Terminal;
  /** Ends all requests at once; its reason is what the command ends with. */
  readonly #signal: AbortSignal;

  constructor(endpoint: Endpoint, terminal: Terminal, signal: AbortSignal) {
    this.#endpoint = endpoint;
    this.#terminal = terminal;
    this.#signal = signal;
  }

  /** Whether there is a token to show. */
  get hasToken(): boolean {
    return this.#endpoint.token !== undefined;
  }

  /** What is asked is for that: `production` unless somebody says otherwise. */
  get environment(): string {
    return this.#endpoint.environment;
  }

  /** Where the routes lie. */
  get base(): string {
    return this.#endpoint.base;
  }

  /** A document of a route for everybody. 503 is an answer too, of a database that is not well. */
  async document<T>(path: string): Promise<T> {
    return json(await this.#ask(`${this.#endpoint.base}${path}`, { method: "GET", headers: {} }));
  }

  /** A text of such a route. */
  async text(path: string, accept: string): Promise<string> {
    return (await this.#ask(`${this.#endpoint.base}${path}`, { method: "GET", headers: { accept } })).body;
  }

  /** A document of a route for operators. */
  async admin<T>(path: string): Promise<T> {
    return json(await this.#ask(`${this.#endpoint.admin}${path}`, { method: "GET", headers: this.#authorization() }));
  }

  /** Replaces an order, if the one that is there is still of `version`: 0 if there was none. */
  replace<Value>(name: string, version: number, value: Value, reason: string): Promise<Order<Value>> {
    return this.write("PUT", `/orders/${name}`, { value, reason }, { "if-match": `"${version}"` });
  }

  /**
   * Changes something, by a route for operators.
   *
   * It has a key by which it is done once: when its answer is lost, it is sent a second time.
   *
   * @throws CliError that says so when even that does not tell whether it was done.
   */
  async write<T>(method: string, path: string, body: object, conditions: Record<string, string> = {}): Promise<T> {
    const url = `${this.#endpoint.admin}${path}`;
    const headers = {
      ...this.#authorization(),
      ...conditions,
      "content-type": "application/json",
      "idempotency-key": randomUUID(),
    };
    const question = { method, headers, body: JSON.stringify(body) };
    const answer = await this.#ask(url, question).catch((error) => {
      if (!(error instanceof CliError) || !LOST.has(error.code)) throw error;
      this.#terminal.trace(`${method} ${url} is sent again: its answer was lost`);
      return this.#ask(url, question);
    });
    return json(answer);
  }

  #authorization(): Record<string, string> {
    const { token } = this.#endpoint;
    if (token !== undefined) return { authorization: `Bearer ${token}` };
    throw new CliError(EXIT.auth, "NO_TOKEN", "This needs a token: SEAWALL_ADMIN_TOKEN, or --token-file <file>.");
  }

  async #ask(url: string, question: Question): Promise<Answer> {
    const done = this.#terminal.waiting(`Asking ${this.#endpoint.base}`);
    const { method } = question;
    const began = performance.now();
    try {
      // A redirect is not followed: a token would go where nobody sent it.
      const response = await fetch(url, { ...question, redirect: "manual", signal: this.#signal });
      const body = await bodyOf(response);
      this.#terminal.trace(`${method} ${url} ${response.status} ${Math.round(performance.now() - began)} ms`);
      return checked({ url, status: response.status, type: response.headers.get("content-type") ?? "", body });
    } catch (error) {
      if (error instanceof CliError) throw error;
      if (this.#signal.aborted) throw this.#signal.reason;
      this.#terminal.trace(`${method} ${url} failed after ${Math.round(performance.now() - began)} ms`);
      const cause = causeOf(error);
      if (method !== "GET" && !NEVER_CONNECTED.has(cause)) {
        const why = `its answer was lost (${cause}), so whether it was done is unknown. Look what holds before you repeat it.`;
        throw unreachable(this.#endpoint.base, why, "ANSWER_LOST");
      }
      throw unreachable(this.#endpoint.base, `nobody answers (${cause}). Is the address right, and is it running?`);
    } finally {
      done();
    }
  }
}

/** Codes of failures after which a write may have been done nevertheless. */
const LOST = new Set(["ANSWER_LOST", "OUTCOME_UNKNOWN"]);

interface Answer {
  url: string;
  status: number;
  type: string;
  body: string;
}

/** @throws CliError for whatever is no answer of Seawall's. */
function checked(answer: Answer): Answer {
  const { url, status, type, body } = answer;
  if (status === 200 && !type.includes("html")) return answer;
  if (status === 503 && type.startsWith("application/json")) return answer;
  if (status >= 300 && status < 400) throw unreachable(url, "it redirects to another address. Give that one.");
  const problem = type.startsWith("application/problem+json") ? (read(body) as Problem | undefined) : undefined;
  if (typeof problem?.code !== "string") {
    throw unreachable(
      url,
      `the answer (status ${status}) is not Seawall's. Give the path of the routes if it is not /api.`,
    );
  }
  const detail = printable(problem.detail ?? problem.code);
  const code = printable(problem.code);
  if (status === 401)
    throw new CliError(EXIT.auth, code, "The token was refused: it is not the one that is set there.");
  if (code === "PRODUCTION_NOT_APPROVED") throw new CliError(EXIT.precondition, code, detail);
  if (status === 403 || code === "ADMIN_NOT_CONFIGURED") throw new CliError(EXIT.auth, code, detail);
  if (status === 409 || status === 412) throw new CliError(EXIT.conflict, code, detail);
  if (status === 422) throw new CliError(EXIT.usage, code, detail);
  if (status === 404 || code === "OUTCOME_UNKNOWN") throw unreachable(url, detail, code);
  // It is there and says that it cannot tell: it is not well.
  if (status === 503) throw new CliError(EXIT.unhealthy, code, detail);
  throw unreachable(url, detail, code);
}

async function bodyOf(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += (chunk as Uint8Array).byteLength;
    if (size > BODY_MAX) throw unreachable(response.url, `the answer is longer than ${BODY_MAX} bytes.`);
    text += decoder.decode(chunk as Uint8Array, { stream: true });
  }
  return text + decoder.decode();
}

function json<T>({ url, body }: Answer): T {
  const value = read(body);
  if (typeof value !== "object" || value === null) throw unreachable(url, "the answer is no document of Seawall's.");
  return value as T;
}

function read(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** The network's own word for what went wrong: a code, and nothing that was sent. */
function causeOf(error: unknown): string {
  const { cause } = error as { cause?: { code?: unknown; errors?: { code?: unknown }[] } };
  return printable(cause?.code ?? cause?.errors?.[0]?.code ?? "no connection");
}

function unreachable(url: string, why: string, code = "UNREACHABLE"): CliError {
  return new CliError(EXIT.unreachable, code, `${printable(url)}: ${why}`);
}
