// From what the user wrote to what the client needs: URL forms and checks, as `@libsql/client` makes them.
import type { Config, IntMode } from "./api.ts";
import { LibsqlError } from "./errors.ts";
import { base64OfBytes } from "./hrana/base64.ts";

/** Settings of {@link Config}, checked. */
export interface ClientConfig {
  /** Request paths resolve against it; it carries no credentials. */
  baseUrl: URL;
  /** Value of the `authorization` header, if the URL or the settings gave credentials. */
  authorization: string | undefined;
  remoteEncryptionKey: string | undefined;
  intMode: IntMode;
  fetch: FetchFunction | undefined;
}

/** A user's own `fetch`: gets one `Request`. */
export type FetchFunction = (request: Request) => Promise<Response>;

const URL_PARTS =
  /^(?<scheme>[A-Za-z][A-Za-z.+-]*):(?:\/\/(?<authority>[^/?#]*))?(?<path>[^?#]*)(?:\?(?<query>[^#]*))?(?:#(?<fragment>.*))?$/su;
const AUTHORITY_PARTS =
  /^(?:(?<username>[^:]*)(?::(?<password>.*))?@)?(?:(?<host>[^:[\]]*)|\[(?<bracketed>[^[\]]*)\])(?::(?<port>[0-9]*))?$/su;

/**
 * Checks the settings.
 *
 * @throws {@link LibsqlError} `URL_INVALID`, `URL_PARAM_NOT_SUPPORTED`, `URL_SCHEME_NOT_SUPPORTED`,
 * `ENCRYPTION_KEY_NOT_SUPPORTED`. The message never holds the URL: it may contain a token.
 * @throws TypeError when `config` is not an object or `intMode` is unknown.
 */
export function parseConfig(config: Readonly<Config>): ClientConfig {
  if (typeof config !== "object" || config === null) {
    const got = config === null ? "null" : typeof config;
    throw new TypeError(`Expected client configuration as object, got ${got}`);
  }
  if (config.url === ":memory:") throw notOverHttp("file:", "An in-memory database lives in one process");
  const parts = matchUrl(config.url);
  const scheme = parts.scheme.toLowerCase();
  if (scheme === "file" && parts.path === ":memory:" && parts.authority === undefined) {
    throw notOverHttp("file:", "An in-memory database lives in one process");
  }

  let tls = config.tls;
  let authToken = config.authToken;
  for (const [name, value] of queryPairs(parts.query)) {
    if (name === "tls") {
      if (value !== "0" && value !== "1") {
        throw invalid('Unknown value for the "tls" query argument. Supported values are: ["0", "1"]');
      }
      tls = value === "1";
    } else if (name === "authToken") {
      authToken = value;
    } else {
      throw new LibsqlError(`Unsupported URL query parameter${shownName(name)}`, "URL_PARAM_NOT_SUPPORTED");
    }
  }

  const authority = parts.authority === undefined ? undefined : matchAuthority(parts.authority);
  const wire = wireScheme(scheme, tls, authority?.port);
  const intMode = config.intMode ?? "number";
  if (intMode !== "number" && intMode !== "bigint" && intMode !== "string") {
    throw new TypeError(
      `Invalid value for intMode, expected "number", "bigint" or "string", got ${JSON.stringify(intMode)}`,
    );
  }
  if (parts.fragment !== undefined) throw invalid("URL fragments are not supported");
  checkTls(wire, tls);
  if (wire === "file") throw notOverHttp("file:", "A file is opened by the process that holds it");
  if (wire === "ws" || wire === "wss") {
    throw notOverHttp(`${wire}:`, "A WebSocket cannot be shared by short-lived functions");
  }
  if (config.encryptionKey !== undefined) {
    throw new LibsqlError("Encryption key is not supported by the remote client.", "ENCRYPTION_KEY_NOT_SUPPORTED");
  }
  if (authority === undefined) {
    throw invalid(`URL with scheme ${JSON.stringify(`${wire}:`)} requires authority (the "//" part)`);
  }

  return {
    baseUrl: baseUrl(wire, authority, parts.path),
    authorization: authToken !== undefined ? `Bearer ${authToken}` : basicAuthorization(authority),
    remoteEncryptionKey: config.remoteEncryptionKey,
    intMode,
    fetch: config.fetch as FetchFunction | undefined,
  };
}

interface UrlParts {
  scheme: string;
  authority: string | undefined;
  path: string;
  query: string | undefined;
  fragment: string | undefined;
}

interface Authority {
  host: string;
  port: string | undefined;
  username: string | undefined;
  password: string | undefined;
}

function matchUrl(url: unknown): UrlParts {
  const groups = URL_PARTS.exec(String(url))?.groups;
  if (groups === undefined) {
    throw invalid("The URL is not in a valid format: expected something like libsql://my-database.example.com");
  }
  return {
    scheme: groups.scheme as string,
    authority: groups.authority,
    path: percentDecode(groups.path as string),
    query: groups.query,
    fragment: groups.fragment,
  };
}

function matchAuthority(text: string): Authority {
  const groups = AUTHORITY_PARTS.exec(text)?.groups;
  if (groups === undefined) throw invalid("The authority part of the URL is not in a valid format");
  return {
    host: percentDecode(groups.bracketed ?? groups.host ?? ""),
    port: groups.port || undefined,
    username: groups.username === undefined ? undefined : percentDecode(groups.username),
    password: groups.password === undefined ? undefined : percentDecode(groups.password),
  };
}

function* queryPairs(query: string | undefined): Generator<[string, string]> {
  for (const pair of (query ?? "").split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = equals < 0 ? pair : pair.slice(0, equals);
    const value = equals < 0 ? "" : pair.slice(equals + 1);
    yield [percentDecode(name.replaceAll("+", " ")), percentDecode(value.replaceAll("+", " "))];
  }
}

/** Whatever follows a `?` may be a token: only what looks like the name of a parameter is shown. */
function shownName(name: string): string {
  return /^[a-z_-]{1,20}$/i.test(name) ? ` ${JSON.stringify(name)}` : "";
}

function percentDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid("URL component has invalid percent encoding");
  }
}

type WireScheme = "https" | "http" | "wss" | "ws" | "file";

function wireScheme(scheme: string, tls: boolean | undefined, port: string | undefined): WireScheme {
  if (scheme === "libsql") {
    if (tls !== false) return "https";
    if (port === undefined) throw invalid('A "libsql:" URL with ?tls=0 must specify an explicit port');
    return "http";
  }
  if (scheme === "https" || scheme === "http" || scheme === "wss" || scheme === "ws" || scheme === "file") {
    return scheme;
  }
  throw new LibsqlError(
    `The client supports only "libsql:", "https:" and "http:" URLs, got ${JSON.stringify(`${scheme}:`)}`,
    "URL_SCHEME_NOT_SUPPORTED",
  );
}

function checkTls(scheme: WireScheme, tls: boolean | undefined): void {
  if ((scheme === "http" || scheme === "ws") && tls === true) {
    throw invalid(`A "${scheme}:" URL cannot opt into TLS by using ?tls=1`);
  }
  if ((scheme === "https" || scheme === "wss") && tls === false) {
    throw invalid(`A "${scheme}:" URL cannot opt out of TLS by using ?tls=0`);
  }
}

function baseUrl(scheme: WireScheme, authority: Authority, path: string): URL {
  const host = authority.host.includes(":") ? `[${encodeURI(authority.host)}]` : encodeURI(authority.host);
  const port = authority.port === undefined ? "" : `:${authority.port}`;
  const encoded = path.split("/").map(encodeURIComponent).join("/");
  const rooted = encoded === "" || encoded.startsWith("/") ? encoded : `/${encoded}`;
  try {
    return new URL(`${scheme}://${host}${port}${rooted}`);
  } catch {
    throw invalid("The host or port of the URL is not valid");
  }
}

/** A `fetch` refuses a URL with credentials in it, so they travel in the header. */
function basicAuthorization(authority: Authority): string | undefined {
  if (authority.username === undefined) return undefined;
  const credentials = new TextEncoder().encode(`${authority.username}:${authority.password ?? ""}`);
  return `Basic ${base64OfBytes(credentials)}`;
}

function invalid(message: string): LibsqlError {
  return new LibsqlError(message, "URL_INVALID");
}

function notOverHttp(scheme: string, why: string): LibsqlError {
  return new LibsqlError(
    `This client speaks HTTP and supports only "libsql:", "https:" and "http:" URLs, got ${JSON.stringify(scheme)}. ` +
      `${why}; use the "libsql:" or "https:" URL of the database, or "http:" for a local sqld.`,
    "URL_SCHEME_NOT_SUPPORTED",
  );
}
