// Sends stream requests: protocol version, credentials, HTTP errors. One per client.
import type { IntMode } from "../api.ts";
import type { LogIndex } from "../consistency/log-index.ts";
import { attachFailure, LibsqlError, withoutStack } from "../errors.ts";
import type { TraceHeaders } from "../telemetry/observer.ts";
import type { Transport, WireResponse } from "../transport/transport.ts";
import { decodePipeline, responseError } from "./decode.ts";
import { CLOSE_REQUEST, type EncodedRequests } from "./encode.ts";
import type { Piggyback } from "./piggyback.ts";
import type { PipelineResponse, ProtocolVersion } from "./proto.ts";

/**
 * Builds the requests for the protocol version that the server turns out to speak, and for the index in the log that a
 * replica must have come to before it answers; empty for none.
 */
export type RequestBuilder = (version: ProtocolVersion, index: LogIndex) => EncodedRequests;

/** The value of the `authorization` header, read for every request. */
export type Authorization = () => string | undefined | Promise<string | undefined>;

/** Where a stream lives. */
export interface StreamAddress {
  baseUrl: URL;
  /** `null` opens a stream. */
  baton: string | null;
  /** The pool's connection that its requests use; 0 or undefined for whichever is free. */
  connection?: number;
  /** Headers that tell the server which trace its requests belong to. */
  traceHeaders?: TraceHeaders | undefined;
}

export class Pipeline {
  readonly #baseUrl: URL;
  readonly #transport: Transport;
  readonly #authorization: Authorization;
  readonly #encryptionKey: string | undefined;
  readonly #intMode: IntMode;
  readonly #piggyback: Piggyback | undefined;
  #version: ProtocolVersion = 3;
  #isConfirmed = false;
  readonly #urls = new Map<string, URL>();
  /** The latest value of the `authorization` header. */
  #shown: string | undefined;

  constructor(
    baseUrl: URL,
    transport: Transport,
    authorization: Authorization,
    encryptionKey: string | undefined,
    intMode: IntMode,
    piggyback?: Piggyback,
  ) {
    this.#piggyback = piggyback;
    this.#baseUrl = baseUrl;
    this.#transport = transport;
    this.#authorization = authorization;
    this.#encryptionKey = encryptionKey;
    this.#intMode = intMode;
  }

  /** The version that the server is known to speak, once it has answered. */
  get version(): ProtocolVersion | undefined {
    return this.#isConfirmed ? this.#version : undefined;
  }

  /** Where new streams are opened. */
  get address(): StreamAddress {
    return { baseUrl: this.#baseUrl, baton: null };
  }

  /** The same for requests of one of the pool's connections. */
  addressOn(connection: number, traceHeaders?: TraceHeaders): StreamAddress {
    return { baseUrl: this.#baseUrl, baton: null, connection, traceHeaders };
  }

  /**
   * Sends one pipeline, with a `close` at its end if `closes`. Before that `close`, questions may ride along: the answer is
   * given without theirs.
   *
   * The first answer settles the version for good: a server that does not know the path of version 3 is asked again
   * under that of version 2. Nothing ran the first time.
   *
   * @throws {@link LibsqlError} with a noted failure.
   */
  async send(
    build: RequestBuilder,
    closes: boolean,
    address: StreamAddress,
    signal: AbortSignal,
    index: LogIndex = "",
  ): Promise<PipelineResponse> {
    const ride = closes ? this.#piggyback?.ride(build) : undefined;
    const built = ride?.build ?? build;
    const { version, encoded, response } = await this.#settle(built, closes, address, signal, index);
    if (response.status < 200 || response.status > 299) throw httpError(response, address.baton !== null, this.#unsaid);
    const body = decodePipeline(response.text, encoded.count + (closes ? 1 : 0), this.#intMode);
    this.#version = version;
    this.#isConfirmed = true;
    if (encoded.requests !== "") ride?.end(body, encoded.count);
    return body;
  }

  async #settle(build: RequestBuilder, closes: boolean, address: StreamAddress, signal: AbortSignal, index: LogIndex) {
    const attempt = async (version: ProtocolVersion) => {
      const encoded = build(version, index);
      return { version, encoded, response: await this.#post(version, encoded.requests, closes, address, signal) };
    };
    const first = await attempt(this.#version);
    if (this.#isConfirmed || address.baton !== null || !isUnknownPath(first.response)) return first;
    const second = await attempt(2);
    // Neither path is known: the address is wrong, or the database is. The first answer says so as well.
    return isUnknownPath(second.response) ? first : second;
  }

  async #post(
    version: ProtocolVersion,
    requests: string,
    closes: boolean,
    address: StreamAddress,
    signal: AbortSignal,
  ): Promise<WireResponse> {
    const headers: Record<string, string> = { "content-type": "application/json" };
    const authorization = this.#authorization();
    const shown = typeof authorization === "object" ? await authorization : authorization;
    this.#shown = shown;
    if (shown !== undefined) headers.authorization = headerValue(shown);
    if (this.#encryptionKey !== undefined) headers[KEY_HEADER] = headerValue(this.#encryptionKey, "encryption key");
    if (address.traceHeaders !== undefined) Object.assign(headers, address.traceHeaders);
    const separator = requests !== "" && closes ? "," : "";
    const baton = address.baton === null ? "" : `"baton":${JSON.stringify(address.baton)},`;
    const body = `{${baton}"requests":[${requests}${separator}${closes ? CLOSE_REQUEST : ""}]}`;
    const url = this.#url(address.baseUrl, version);
    const response = await this.#transport.post(url, headers, body, signal, address.connection);
    if (response.status !== 401 || shown === undefined) return response;
    // The server has run nothing. If the token was changed meanwhile, the new one is shown once.
    const latest = await this.#authorization();
    if (latest === undefined || latest === shown || signal.aborted) return response;
    this.#shown = latest;
    headers.authorization = headerValue(latest);
    return this.#transport.post(url, headers, body, signal, address.connection);
  }

  /** What a server or a proxy says, without the credentials that it was shown, should it repeat them. */
  readonly #unsaid = (text: string): string => {
    const secrets = [this.#shown?.trim().split(" ").at(-1), this.#encryptionKey?.trim()];
    return secrets.reduce<string>((safe, one) => (one ? safe.replaceAll(one, "[redacted]") : safe), text);
  };

  /** The same object for the same address: transports keep what they work out about a URL. */
  #url(baseUrl: URL, version: ProtocolVersion): URL {
    const key = `${version} ${baseUrl.href}`;
    let url = this.#urls.get(key);
    if (url === undefined) {
      url = new URL(`v${version}/pipeline`, baseUrl);
      if (this.#urls.size >= 32) this.#urls.clear();
      this.#urls.set(key, url);
    }
    return url;
  }
}

const KEY_HEADER = "x-turso-encryption-key";

/** Tokens read from files end in a line break: white space around them is dropped, as `Headers` does. */
function headerValue(value: string, what = "auth token"): string {
  const trimmed = value.trim();
  if (!/[^\t\x20-\x7e\x80-\xff]/.test(trimmed)) return trimmed;
  // What the platform says of such a header repeats it.
  const code = `${what.toUpperCase().replace(" ", "_")}_INVALID`;
  const error = new LibsqlError(`The ${what} holds characters that no HTTP header can carry`, code);
  throw attachFailure(error, { status: 401, code, sent: false });
}

function isUnknownPath({ status, text }: WireResponse): boolean {
  if (status === 404 || status === 405) return true;
  return status === 400 && /\b(path|route|endpoint|v3)\b/i.test(text.slice(0, 200));
}

/** Characters of a server's message that an error repeats. */
const MESSAGE_MAX = 300;

/** The database's code and message if the body has them, as upstream; else `SERVER_ERROR` with the status. */
function httpError(response: WireResponse, hasBaton: boolean, unsaid: (text: string) => string): LibsqlError {
  const { status } = response;
  const body = jsonObject(response.text);
  if (typeof body?.message === "string") {
    const code = typeof body.code === "string" ? body.code : undefined;
    if (hasBaton && code === "STREAM_EXPIRED") return streamExpired(status);
    return responseError({ message: printable(unsaid(body.message)), code: code ?? "SERVER_ERROR" }, status);
  }
  const said = typeof body?.error === "string" ? body.error : isPlainText(response) ? response.text : "";
  if (hasBaton && status === 400 && /\bbaton\b/i.test(said)) return streamExpired(status);
  const detail = printable(unsaid(said));
  const message = `Server returned HTTP status ${status}${detail === "" ? "" : `: ${detail}`}`;
  const cause = withoutStack(() => Object.assign(new Error(message), { name: "HttpServerError", status }));
  const error = new LibsqlError(message, "SERVER_ERROR", undefined, undefined, cause);
  return attachFailure(error, { status, code: "SERVER_ERROR", sent: true });
}

function streamExpired(status: number): LibsqlError {
  const error = new LibsqlError(
    "The server has closed the stream of this transaction and rolled the transaction back. It keeps a stream for " +
      "about 10 s after its latest statement, and none across a restart. Start a new transaction, wait for nothing " +
      "slow inside it, or use batch()",
    "STREAM_EXPIRED",
  );
  return attachFailure(error, { status, code: "STREAM_EXPIRED", sent: true });
}

function isPlainText({ contentType }: WireResponse): boolean {
  return contentType === "" || contentType.startsWith("text/plain");
}

function jsonObject(text: string): Record<string, unknown> | undefined {
  if (!text.startsWith("{")) return undefined;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** One line without control characters, cut. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a terminal.
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ").trim();
  return line.length > MESSAGE_MAX ? `${line.slice(0, MESSAGE_MAX)}…` : line;
}
