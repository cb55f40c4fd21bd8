import type { Client, Config as UpstreamConfig } from "./api.ts";
import { ClientCache } from "./cache/client-cache.ts";
import { Circuit } from "./circuit.ts";
import { clusterControlsOf, type LateCluster } from "./cluster/controls.ts";
import { databaseName, PRIMARY } from "./cluster/endpoint.ts";
import type { SeawallOptions } from "./config/options.ts";
import { pluggedIn } from "./config/plugins.ts";
import { type ClientConfig, parseConfig } from "./config.ts";
import { Consistency } from "./consistency/consistency.ts";
import { checkConsistency } from "./consistency/settings.ts";
import { type ClientControls, clientControlsOf } from "./consistency/view.ts";
import { controlsOf } from "./controls.ts";
import type { Driver } from "./driver.ts";
import { createGuard } from "./guard.ts";
import { Piggyback } from "./hrana/piggyback.ts";
import type { Connections } from "./operation.ts";
import { platform as thisPlatform } from "./platform/platform.ts";
import { RemoteClient } from "./remote-client.ts";
import type { IgnoredSetting } from "./status.ts";
import type { Observer } from "./telemetry/observer.ts";
import { type Observed, observerOf } from "./telemetry/options.ts";
import { QueryCost } from "./tenants/query-cost.ts";

/** Settings of {@link createClient}: those of `@libsql/client`, and Seawall's own under one key. */
export interface Config extends UpstreamConfig {
  seawall?: SeawallOptions;
}

/** A client of `@libsql/client`'s shape, with Seawall's own surface under one name. */
export interface SeawallClient extends Client {
  readonly seawall: ClientControls;
}

/** A larger limit than this one leaves the number of leases as it is. */
const LEASES_MAX = 5;

/**
 * Opens a client for one database. Nothing is sent yet.
 *
 * @throws {@link LibsqlError} `URL_INVALID`, `URL_SCHEME_NOT_SUPPORTED` and others when the settings make no sense.
 */
export function createClient(config: Config): SeawallClient {
  return openClient(config).client;
}

/** A client with the policies of its own database. */
export interface OpenedClient {
  readonly client: SeawallClient;
  driver(): Driver;
  /** Whether there is work in flight, at whichever of its databases. */
  isBusy(): boolean;
}

/** The same, for those who look after several clients. */
export function openClient(config: Config, platform = thisPlatform): OpenedClient {
  const checked = parseConfig(config);
  const plugged = pluggedIn(config.seawall ?? {});
  checked.fetch ??= plugged.fetch;
  let options = withConcurrency(plugged.options, config.concurrency);
  const database = databaseName(checked);
  // Reconnecting makes another driver; the controls follow, and so do listeners and what is forced.
  const circuit = new Circuit(database, platform);
  const observer = observerOf(circuit, options, database, platform, observedOf(config, checked));
  if (observer !== undefined && options.authToken !== undefined)
    options = { ...options, authToken: learning(options.authToken, observer) };
  let driver: Driver | undefined;
  let cluster: LateCluster | undefined;
  const current = () => driver as Driver;
  const settings = checkConsistency(options.consistency);
  const consistency = new Consistency(settings, options.consistency?.database ?? database, platform);
  const cost = options.queryCost === undefined ? undefined : new QueryCost(options.queryCost, platform.now);
  const cache = new ClientCache(options, database, platform);
  const openGuard = (connections: Connections) => {
    const capacity = driver?.capacity;
    // Reconnecting goes on with what was changed while it ran.
    driver = createGuard(driver?.settings.options ?? options, database, platform, circuit, connections);
    driver.capacity = capacity;
    // Without settings of its own, a pool is warm when it was used.
    if (options.connectionPool !== undefined) driver.startWarm();
    cache.clear();
    return cluster?.reopened(driver) ?? driver;
  };
  const piggyback = new Piggyback();
  const client = new RemoteClient(checked, options, consistency, openGuard, cache.cacheFor, cost, piggyback);
  const ping = () => client.ping(options.primary?.name ?? PRIMARY);
  const own = controlsOf(current, ignoredOf(config), "libsql", ping);
  cluster = clusterControlsOf({ config: { ...config }, options, platform, piggyback }, database, own, current, client);
  for (const { name, url, ...rest } of options.replicas ?? []) cluster.register(name, url, rest);
  const controls = { ...cluster.controls, cache, piggyback: piggyback.add };
  const seawall = clientControlsOf(controls, client, consistency, consistency.floor);
  const isBusy = () => current().isBusy() || (cluster?.isBusy() ?? false);
  return { client: Object.assign(client, { seawall }), driver: current, isBusy };
}

/** What only the client knows, of where it sends to and of what must not be told. */
function observedOf(
  { url, authToken }: Config,
  { baseUrl, authorization, remoteEncryptionKey }: ClientConfig,
): Observed {
  const credentials = /^[a-z+.-]+:\/\/([^/?#]*)@/i.exec(url)?.[1]?.split(":") ?? [];
  const token = /[?&]authToken=([^&]*)/.exec(url)?.[1];
  const secrets = [authToken, authorization?.split(" ")[1], remoteEncryptionKey, token, ...credentials];
  return {
    system: "sqlite",
    url: baseUrl,
    secrets: secrets.flatMap((secret) => (secret ? [secret, decoded(secret)] : [])),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Tokens that are asked for are secrets as well, each of them. */
function learning(read: NonNullable<SeawallOptions["authToken"]>, observer: Observer) {
  return async () => {
    const token = await read();
    observer.learnSecret(token);
    return token;
  };
}

const NO_REPLICA = "there is no embedded replica";
const NO_FILE = "it belongs to a local file; the server of a remote database waits for locks by its own rule";
/** Settings that have no meaning over HTTP, and why. */
const WITHOUT_MEANING = [
  ["syncUrl", NO_REPLICA],
  ["syncInterval", NO_REPLICA],
  ["readYourWrites", NO_REPLICA],
  ["offline", NO_REPLICA],
  ["timeout", NO_FILE],
] as const;

/** What the caller set without effect. */
function ignoredOf(config: Config): IgnoredSetting[] {
  const set = WITHOUT_MEANING.filter(([name]) => config[name] !== undefined);
  return set.map(([name, why]) => ({ name, why }));
}

/** Leases are what limits concurrency, so upstream's option sets their number, unless Seawall's own does. */
function withConcurrency(options: SeawallOptions, concurrency: number | undefined): SeawallOptions {
  const { connectionPool } = options;
  const isLimit = typeof concurrency === "number" && concurrency >= 1 && concurrency <= LEASES_MAX;
  if (!isLimit || connectionPool?.maxConnections !== undefined) return options;
  return { ...options, connectionPool: { ...connectionPool, maxConnections: Math.floor(concurrency) } };
}
