// The way that exists everywhere: the global `fetch`, or the user's own.
import type { FetchFunction } from "../config.ts";
import { NEVER_CONNECTED } from "./never-connected.ts";
import {
  aborted,
  acceptEncoding,
  bodyLost,
  type Compression,
  connectFailed,
  connectionLost,
  lookedAt,
  systemCode,
  type Transport,
  type WireResponse,
} from "./transport.ts";

const isNode =
  typeof (globalThis as { process?: { release?: { name?: string } } }).process === "object" &&
  (globalThis as { process?: { release?: { name?: string } } }).process?.release?.name === "node";

export class FetchTransport implements Transport {
  readonly #userFetch: FetchFunction | undefined;
  readonly #compression: Compression | undefined;

  /** Without `compression` the runtime decides, except in Node: inflating many small chunks costs it more than bytes. */
  constructor(userFetch: FetchFunction | undefined, compression: Compression | undefined) {
    this.#userFetch = userFetch;
    this.#compression = compression ?? (isNode ? "identity" : undefined);
  }

  async post(url: URL, headers: Record<string, string>, body: string, signal: AbortSignal): Promise<WireResponse> {
    if (signal.aborted) throw aborted(false);
    const sent = this.#compression === undefined ? headers : this.#withEncoding(url, headers, this.#compression);
    // A redirect to another server loses the token by itself, but not this key.
    const redirect = "x-turso-encryption-key" in headers ? "manual" : "follow";
    const init = { method: "POST", headers: sent, body, signal, redirect } as const;
    let response: Response;
    try {
      response = await (this.#userFetch ? this.#userFetch(new Request(url, init)) : fetch(url, init));
    } catch (thrown) {
      if (signal.aborted) throw aborted(true);
      const error = lookedAt(thrown);
      throw neverConnected(error) ? connectFailed(url, error) : connectionLost(url, error);
    }
    try {
      const contentType = response.headers.get("content-type") ?? "";
      return { status: response.status, contentType, text: await response.text() };
    } catch (error) {
      if (signal.aborted) throw aborted(true);
      throw bodyLost(url, response.status, error);
    }
  }

  #withEncoding(url: URL, headers: Record<string, string>, compression: Compression): Record<string, string> {
    return { ...headers, "accept-encoding": acceptEncoding(compression, url) };
  }

  close(): void {}
}

/** Whether the runtime says for certain that there was no connection. Deno says so only in words. */
function neverConnected(error: unknown): boolean {
  const code = systemCode(error);
  if (NEVER_CONNECTED.has(code) || code.startsWith("CERT_") || code.startsWith("ERR_TLS_CERT")) return true;
  return error instanceof TypeError && /client error \(Connect\)/.test(error.message);
}
