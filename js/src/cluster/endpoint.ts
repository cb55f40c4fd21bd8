// One database of a cluster: a driver of its own, and the way to it.

import type { Config } from "../api.ts";
import { Circuit } from "../circuit.ts";
import type { SeawallOptions } from "../config/options.ts";
import { type ClientConfig, parseConfig } from "../config.ts";
import { EndpointIndex } from "../consistency/consistency.ts";
import { Credentials } from "../credentials.ts";
import type { Driver } from "../driver.ts";
import { createGuard } from "../guard.ts";
import type { Piggyback } from "../hrana/piggyback.ts";
import { Pipeline } from "../hrana/pipeline.ts";
import type { Platform } from "../platform/platform.ts";
import { connectionsOver } from "../remote-client.ts";
import { openTransport } from "../transport/open.ts";
import type { DatabaseOptions, Tags } from "./options.ts";

/** What the client's own database is called in its cluster, unless its options say otherwise. */
export const PRIMARY = "primary";

/** What a client says of itself, and its other databases go by as well. */
export interface ClientSettings {
  readonly config: Config;
  readonly options: SeawallOptions;
  readonly platform: Platform;
  /** Who rides along with requests to whichever of them. */
  readonly piggyback?: Piggyback;
}

/** The way to a database, and how far its log is known to be. */
export interface Way {
  readonly name: string;
  readonly pipeline: Pipeline;
  readonly seen: EndpointIndex;
}

/** A database in its cluster. */
export interface Endpoint {
  readonly name: string;
  /** Host and path, without credentials. */
  readonly database: string;
  readonly isWritable: boolean;
  readonly priority: number;
  readonly region: string | undefined;
  readonly tags: Tags;
  /** Its number in the core; changes when the core is made anew. */
  index: number;
  /** The index of the log that the core was told of. */
  told: string;
  driver: Driver;
  /** Its own way; undefined for the client's own database, which has the client's. */
  way: Way | undefined;
  /** Whether its token is the client's: it gets each new one of those. */
  readonly sharesToken: boolean;
  /** Shows another token from now on. The client's own database has the client's. */
  rotateAuthToken(token: string): void;
  /** Closes, as far as the client does not. */
  close(): void;
  /** Opens again after that. */
  reopen(driver: Driver): void;
}

/** Host and path of a database, which name it where no credentials may show. */
export function databaseName({ baseUrl }: ClientConfig): string {
  const { host, pathname } = baseUrl;
  return `${host}${pathname === "/" ? "" : pathname}`;
}

/** The client's own database. */
export function ownEndpoint(settings: ClientSettings, database: string, driver: Driver): Endpoint {
  const { name = PRIMARY, priority = 1, region, tags = {} } = settings.options.primary ?? {};
  const endpoint: Endpoint = {
    name,
    database,
    isWritable: true,
    priority,
    region,
    tags: Object.freeze({ ...tags }),
    index: -1,
    told: "",
    driver,
    way: undefined,
    sharesToken: true,
    rotateAuthToken: () => {},
    close() {},
    reopen(fresh) {
      endpoint.driver = fresh;
    },
  };
  return endpoint;
}

/**
 * Another database, with policies of its own.
 *
 * @throws LibsqlError when the URL makes no sense, Error when a setting does not.
 */
export function otherEndpoint(settings: ClientSettings, name: string, url: string, own: DatabaseOptions): Endpoint {
  const { platform, options } = settings;
  const { authToken, connectionPool, priority = 1, readOnly = true, region, tags = {} } = own;
  const fixedToken = typeof authToken === "string" ? authToken : settings.config.authToken;
  const readToken =
    typeof authToken === "function" ? authToken : authToken === undefined ? options.authToken : undefined;
  const checked = parseConfig({ ...settings.config, url, authToken: fixedToken as string });
  const credentials = new Credentials(checked.authorization, readToken);
  const sharesToken = authToken === undefined && checked.authorization === `Bearer ${settings.config.authToken}`;
  const database = databaseName(checked);
  const policies = { ...options, connectionPool: { ...options.connectionPool, ...connectionPool } };
  const circuit = new Circuit(database, platform);
  let transport = openTransport(checked.fetch, options.compression);
  const open = () => {
    const { baseUrl, remoteEncryptionKey, intMode } = checked;
    const { authorize } = credentials;
    const pipeline = new Pipeline(baseUrl, transport, authorize, remoteEncryptionKey, intMode, settings.piggyback);
    const driver = createGuard(policies, database, platform, circuit, connectionsOver(transport, pipeline));
    if ((connectionPool ?? options.connectionPool) !== undefined) driver.startWarm();
    return { driver, way: { name, pipeline, seen: new EndpointIndex() } };
  };
  const endpoint: Endpoint = {
    name,
    database,
    isWritable: !readOnly,
    priority,
    region,
    tags: Object.freeze({ ...tags }),
    index: -1,
    told: "",
    ...open(),
    sharesToken,
    rotateAuthToken(token) {
      credentials.rotate(token);
      endpoint.driver.observer?.learnSecret(token);
    },
    close() {
      endpoint.driver.close();
      transport.close();
    },
    reopen() {
      transport = openTransport(checked.fetch, options.compression);
      Object.assign(endpoint, open());
    },
  };
  return endpoint;
}
