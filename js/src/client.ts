import type { Client, Config as UpstreamConfig } from "./api.ts";
import type { SeawallOptions } from "./config/options.ts";
import { parseConfig } from "./config.ts";
import { createGuard } from "./driver.ts";
import { RemoteClient } from "./remote-client.ts";

/** Settings of {@link createClient}: those of `@libsql/client`, and Seawall's own under one key. */
export interface Config extends UpstreamConfig {
  seawall?: SeawallOptions;
}

/** A larger limit than this one leaves the number of leases as it is. */
const LEASES_MAX = 5;

/**
 * Opens a client for one database. Nothing is sent yet.
 *
 * @throws {@link LibsqlError} `URL_INVALID`, `URL_SCHEME_NOT_SUPPORTED` and others when the settings make no sense.
 */
export function createClient(config: Config): Client {
  const checked = parseConfig(config);
  const options = withConcurrency(config.seawall ?? {}, config.concurrency);
  const { host, pathname } = checked.baseUrl;
  const databaseName = `${host}${pathname === "/" ? "" : pathname}`;
  return new RemoteClient(checked, options, () => createGuard(options, databaseName));
}

/** Leases are what limits concurrency, so upstream's option sets their number, unless Seawall's own does. */
function withConcurrency(options: SeawallOptions, concurrency: number | undefined): SeawallOptions {
  const { connectionPool } = options;
  const isLimit = typeof concurrency === "number" && concurrency >= 1 && concurrency <= LEASES_MAX;
  if (!isLimit || connectionPool?.maxConnections !== undefined) return options;
  return { ...options, connectionPool: { ...connectionPool, maxConnections: Math.floor(concurrency) } };
}
