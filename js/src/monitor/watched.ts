// What a monitor watches: clients, protected objects and guards, each as the facts that the documents are made from.

import type { CacheControls } from "../cache/client-cache.ts";
import type { ClusterControls } from "../cluster/controls.ts";
import type { Controls } from "../controls.ts";
import type { Driver } from "../driver.ts";
import type { EffectiveConfig } from "../live-settings.ts";
import { HEALTH_CHECK } from "../operation.ts";
import type { Status } from "../status.ts";
import type { TelemetryControls } from "../telemetry/controls.ts";
import type { Tenants } from "../tenants/tenants.ts";

/** A client of `createClient`, or anything with Seawall's controls. */
export interface WatchedClient {
  readonly seawall: WatchedControls;
}

/** A guard of `createGuard`, with a way to ask the database whether it is there. */
export interface WatchedGuard {
  readonly guard: Pick<Driver, "status" | "run"> &
    Partial<Pick<Driver, "observer" | "times" | "operations" | "settings">>;
  /** Asks the database something small. Rejects when it is not there. */
  check(): Promise<unknown>;
  /** What kind of database it is. */
  readonly type?: string;
}

/** The controls that a monitor needs; the others add to what it can tell. */
export type WatchedControls = Pick<Controls, "status" | "healthCheck"> &
  Partial<
    Pick<
      Controls,
      | "config"
      | "databaseType"
      | "telemetry"
      | "times"
      | "operations"
      | "connections"
      | "circuitBreaker"
      | "cleanup"
      | "configure"
      | "exportConfig"
      | "importConfig"
    > &
      Pick<ClusterControls, "isCluster" | "cluster"> & { cache: CacheControls }
  >;

/** A database to watch: a client, an object that `protect` returned, or a guard and a way to ask. */
export type Watchable = WatchedClient | WatchedGuard | object;

/** Tenants to watch, as a whole: each of them is somebody's, and none is named. */
export type WatchedTenants = Pick<Tenants, "status"> & Partial<Pick<Tenants, "obey">>;

/** One database as the monitor sees it. */
export interface Watched {
  readonly name: string;
  /** Asks whether it is there. Never rejects. */
  check(): Promise<boolean>;
  /** A check that has not ended after so many milliseconds never will. */
  readonly limitMs: number;
  /** What is known of it, as `DatabaseFacts` in src/report/facts.rs has it, but for its name and probe. */
  facts(): { status: Status } & Record<string, unknown>;
  /** What operators may change in it; none of a guard. */
  readonly controls?: WatchedControls;
  /** What was logged of it since the first `seen` records. */
  logs(seen: number): ReturnType<TelemetryControls["logs"]> | undefined;
  /** `metrics.statsInterval`, if somebody has set it, in milliseconds. */
  readonly statsIntervalMs: number | undefined;
}

/** Where `protect` leaves the controls; see `controlsOfProtected`, which would bring the whole client along. */
const CONTROLS = Symbol.for("seawall.Controls");
const LIMIT_DEFAULT_MS = 3_000;
/** A check may first wait for what others know. */
const GRACE_MS = 1_100;

/** @throws TypeError that names the database and says what it should be. */
export function watchedOf(name: string, watchable: Watchable): Watched {
  const { seawall, guard, check, type } = (watchable ?? {}) as Partial<WatchedClient & WatchedGuard>;
  const controls = seawall ?? (watchable as { [CONTROLS]?: WatchedControls } | undefined)?.[CONTROLS];
  if (typeof controls?.status === "function" && typeof controls.healthCheck === "function") {
    return ofControls(name, controls);
  }
  if (typeof guard?.status === "function" && typeof guard.run === "function" && typeof check === "function") {
    return ofGuard(name, { guard, check, ...(type !== undefined && { type }) });
  }
  throw new TypeError(
    `The monitor cannot watch ${JSON.stringify(name)}: give it a client of createClient, an object that protect() ` +
      "returned, or { guard, check } with a guard of createGuard and a function that asks the database",
  );
}

function ofGuard(name: string, { guard, check, type = "other" }: WatchedGuard): Watched {
  const ask = () =>
    guard.run(HEALTH_CHECK, check).then(
      () => true,
      () => false,
    );
  return watched(
    name,
    ask,
    LIMIT_DEFAULT_MS,
    () => guard.status(),
    () => ({ kind: type, times: guard.times?.(), operationsNamed: guard.operations?.() }),
    (seen) => guard.observer?.logger?.since(seen),
    guard.settings?.effective("metrics"),
  );
}

function ofControls(name: string, controls: WatchedControls): Watched {
  const setting = (path: string): unknown => configOf(controls, path.split(".")[0])?.settings[path]?.value;
  const deadlineMs = Number(setting("timeouts.healthCheck") ?? LIMIT_DEFAULT_MS);
  const ask = () => controls.healthCheck().catch(() => false);
  return watched(
    name,
    ask,
    deadlineMs,
    () => controls.status(),
    () => ({
      kind: controls.databaseType ?? "libsql",
      cache: cacheOf(controls, setting),
      cluster: clusterOf(controls, setting),
      isTraced: controls.telemetry?.isTracing() ?? false,
      times: controls.times?.(),
      operationsNamed: controls.operations?.(),
      connections: controls.connections?.().map(({ id, state, uses, errors }) => ({ id, state, uses, errors })),
    }),
    (seen) => controls.telemetry?.logs(seen),
    configOf(controls, "metrics"),
    controls,
  );
}

function configOf(controls: WatchedControls, group: string | undefined): EffectiveConfig | undefined {
  try {
    return controls.config?.(group);
  } catch {
    return undefined;
  }
}

function watched(
  name: string,
  ask: () => Promise<boolean>,
  deadlineMs: number,
  statusOf: () => Status,
  others: () => Record<string, unknown>,
  logs: Watched["logs"],
  config: EffectiveConfig | undefined,
  controls?: WatchedControls,
): Watched {
  const interval = config?.settings["metrics.statsInterval"];
  const limitMs = (deadlineMs > 0 ? deadlineMs : LIMIT_DEFAULT_MS) + GRACE_MS;
  return {
    name,
    ...(controls !== undefined && { controls }),
    limitMs,
    check: () => within(limitMs, ask),
    facts() {
      const status = statusOf();
      return { operations: status.running ?? 0, status, generation: status.coreRecoveries ?? 0, ...others() };
    },
    logs,
    statsIntervalMs: interval === undefined || interval.source === "default" ? undefined : Number(interval.value),
  };
}

/** What `ask` finds; false if it takes longer than `ms`, or throws. */
async function within(ms: number, ask: () => Promise<boolean>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, ms, false);
  });
  try {
    return await Promise.race([ask(), late]);
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

function cacheOf({ cache }: WatchedControls, setting: (path: string) => unknown): unknown {
  const stats = cache?.stats();
  if (stats === undefined || (setting("queryCache.enabled") !== true && stats.loads === 0)) return null;
  const { entries, bytes, hits, stale, misses, evictions } = stats;
  return { entries, entriesMax: Number(setting("queryCache.maxSize") ?? 0), bytes, hits, stale, misses, evictions };
}

function clusterOf(controls: WatchedControls, setting: (path: string) => unknown): unknown {
  if (controls.isCluster?.() !== true) return null;
  const status = controls.cluster?.();
  if (status === undefined) return null;
  const { strategy, endpoints } = status;
  return { strategy, doesFailOver: setting("failover.enabled") !== false, endpoints };
}
