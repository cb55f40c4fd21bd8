import type { Client, Config as UpstreamConfig } from "./api.ts";
import type { SeawallOptions } from "./config/options.ts";
import { parseConfig } from "./config.ts";
import { createGuard } from "./driver.ts";
import { RemoteClient } from "./remote-client.ts";

/** Settings of {@link createClient}: those of `@libsql/client`, and Seawall's own under one key. */
export interface Config extends UpstreamConfig {
  seawall?: SeawallOptions;
}

/**
 * Opens a client for one database. Nothing is sent yet.
 *
 * @throws {@link LibsqlError} `URL_INVALID`, `URL_SCHEME_NOT_SUPPORTED` and others when the settings make no sense.
 */
export function createClient(config: Config): Client {
  const checked = parseConfig(config);
  const options = config.seawall ?? {};
  const { host, pathname } = checked.baseUrl;
  const databaseName = `${host}${pathname === "/" ? "" : pathname}`;
  return new RemoteClient(checked, options, () => createGuard(options, databaseName));
}
