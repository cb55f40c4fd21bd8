// What every way to POST a body and read the whole answer has in common: its shape, its errors.
import { attachFailure, LibsqlError, withoutStack } from "../errors.ts";

/** An HTTP answer, read to its end. */
export interface WireResponse {
  status: number;
  contentType: string;
  text: string;
}

/** Sends requests to one server. */
export interface Transport {
  /**
   * Sends `body` and reads the answer, whatever its status. `connection` is one of the pool's, for a transport that
   * keeps one open for each; 0 for whichever is free.
   *
   * @throws {@link LibsqlError} with a noted failure: `CONNECT_FAILED` (nothing was sent), `CONNECTION_LOST` (no
   * answer came), `BODY_LOST` (the answer broke off), `BAD_RESPONSE` (it could not be inflated), `ABORTED`.
   */
  post(
    url: URL,
    headers: Record<string, string>,
    body: string,
    signal: AbortSignal,
    connection?: number,
  ): Promise<WireResponse>;
  /** Whether what is kept open for one of the pool's connections still works; undefined when that cannot be told. */
  check?(connection: number): Promise<boolean>;
  /** Closes what is kept open for one of the pool's connections, at the latest when its request has ended. */
  retire?(connection: number): void;
  /** Lets go of idle connections. Requests in flight end normally. */
  close(): void;
}

/**
 * What the answer's body may be compressed with.
 *
 * `"identity"`: nothing; right where bytes are cheap. `"gzip"`: right across a slow network. `"auto"`: identity to the
 * same machine, gzip elsewhere.
 */
export type Compression = "identity" | "gzip" | "auto";

/** `accept-encoding` to ask `url` for, or nothing to leave it to the runtime. */
export function acceptEncoding(compression: Compression, url: URL): "identity" | "gzip" {
  if (compression !== "auto") return compression;
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname) ? "identity" : "gzip";
}

/** Nothing was sent. */
export function connectFailed(url: URL, cause: unknown): LibsqlError {
  const message = `Could not connect to ${url.origin}${reason(cause)}. Check that the address is right and the server runs`;
  return transportError("CONNECT_FAILED", message, 0, false, cause);
}

/** No answer came. `sent` is false only when the request surely did not arrive whole. */
export function connectionLost(url: URL, cause: unknown, sent = true): LibsqlError {
  const message = `The connection to ${url.origin} was lost before an answer came${reason(cause)}`;
  return transportError("CONNECTION_LOST", message, 0, sent, cause);
}

/** The answer broke off. */
export function bodyLost(url: URL, status: number, cause: unknown): LibsqlError {
  const message = `The connection to ${url.origin} was lost in the middle of the answer${reason(cause)}`;
  return transportError("BODY_LOST", message, status, true, cause);
}

/** The signal of the attempt fired. */
export function aborted(sent: boolean): LibsqlError {
  return transportError("ABORTED", "The request was aborted", 0, sent, undefined);
}

function transportError(code: string, message: string, status: number, sent: boolean, cause: unknown): LibsqlError {
  const error = withoutStack(
    () => new LibsqlError(message, code, undefined, undefined, cause instanceof Error ? cause : undefined),
  );
  return attachFailure(error, { status, code, sent });
}

/** The system's code, if any. Not the cause's message: a fetch of the user's may put anything into it. */
function reason(cause: unknown): string {
  const code = systemCode(cause);
  return code === "" ? "" : ` (${code})`;
}

/** What a fetch of the user's has thrown, or something else in its place if that throws when it is looked at. */
export function lookedAt(error: unknown): unknown {
  try {
    systemCode(error);
    return error instanceof Error && error.message === undefined ? undefined : error;
  } catch {
    return undefined;
  }
}

/** Code such as `ECONNREFUSED` of an error or of its cause; empty if there is none. */
export function systemCode(error: unknown): string {
  let current = error;
  for (let depth = 0; depth < 3 && typeof current === "object" && current !== null; depth++) {
    const { code, cause } = current as { code?: unknown; cause?: unknown };
    if (typeof code === "string") return code;
    current = cause;
  }
  return "";
}
