// The cluster's part of a client's own surface. There is no cluster before the second database.

import type { CircuitEventName, CircuitListener } from "../circuit.ts";
import { type Controls, controlsOf } from "../controls.ts";
import type { Driver } from "../driver.ts";
import type { Guard } from "../operation.ts";
import { Cluster } from "./cluster.ts";
import { type ClientSettings, PRIMARY } from "./endpoint.ts";
import { type ClusterEventName, ClusterEvents, type ClusterListener, isClusterEvent } from "./events.ts";
import type { DatabaseOptions } from "./options.ts";
import type { ClusterStatus } from "./status.ts";

/** Seawall's own surface of a client that may have several databases. */
export interface ClusterControls extends Controls {
  /**
   * Takes a database in that holds the same as the client's own, as `seawall.replicas` does from the start. Operations
   * that run already are not affected.
   *
   * @throws RangeError when the name is taken or a number is out of range, TypeError or {@link LibsqlError} when the
   * description or the URL makes no sense.
   */
  registerDatabase(name: string, url: string, options?: DatabaseOptions): void;
  /**
   * Lets a database go: nothing new is sent there. Resolves when what is out there has ended, or after `deadlineMs`
   * (10,000).
   *
   * @throws RangeError when there is none of this name, or for the client's own.
   */
  removeDatabase(name: string, deadlineMs?: number): Promise<void>;
  /**
   * Shows another token to the database, from the next request on: nothing that runs is dropped, and what is refused with
   * 401 because it left with the token before is sent once more. Databases of a cluster that have the client's token get
   * it too; with a name, that one alone does.
   *
   * @throws TypeError for a token that cannot be used, and where `authToken` is a function, which is asked for every
   * request already; RangeError when there is no database of this name. Nothing has changed then.
   */
  rotateAuthToken(token: string, database?: string): void;
  /** Whether there is more than one database. */
  isCluster(): boolean;
  /** Each database: whether it takes operations, how long it takes, and what it was given. */
  cluster(): ClusterStatus;
  /**
   * The same surface for one of the databases: its circuit, its pool, its counts.
   *
   * @throws RangeError when there is none of this name.
   */
  database(name: string): Controls;
  /** `status()`, `connections()` and the circuit's events are those of the client's own database. */
  on(event: CircuitEventName, listener: CircuitListener): ClusterControls;
  /** `failover`: an operation moved on to another database. `ejected` and `restored`: a database went, or is back. */
  on(event: ClusterEventName, listener: ClusterListener): ClusterControls;
  off(event: CircuitEventName, listener: CircuitListener): ClusterControls;
  off(event: ClusterEventName, listener: ClusterListener): ClusterControls;
}

/** A cluster that is made with its second database. */
export interface LateCluster {
  readonly controls: ClusterControls;
  register(name: string | undefined, url: string, options: DatabaseOptions): void;
  /** Whether any of its databases has work in flight; false before there is a second. */
  isBusy(): boolean;
  /** The cluster as a guard, going on with another driver of the client's own database; undefined without one. */
  reopened(driver: Driver): Guard | undefined;
}

/** What is told to the client when there is a cluster. */
export interface Guarded {
  guardBy(guard: Guard): void;
  /** Shows another token to its own database from now on. */
  rotateAuthToken(token: string): void;
  /** Asks one of the databases whether it is there. Rejects when it is not. */
  ping(endpoint: string): Promise<void>;
}

/** The surface, and the cluster behind it. */
export function clusterControlsOf(
  settings: ClientSettings,
  database: string,
  own: Controls,
  driver: () => Driver,
  client: Guarded,
): LateCluster {
  const events = new ClusterEvents(settings.platform);
  let cluster: Cluster | undefined;
  const alone = () => new Cluster(settings, database, driver(), events);
  const register = (name: string | undefined, url: string, options: DatabaseOptions) => {
    const larger = cluster ?? alone();
    larger.register(name, url, options);
    if (cluster === undefined) client.guardBy(larger);
    cluster = larger;
  };
  const listen = (what: "on" | "off") => (event: string, listener: (event: never) => unknown) => {
    if (isClusterEvent(event)) events[what](event, listener as ClusterListener);
    else own[what](event as CircuitEventName, listener as CircuitListener);
    return controls;
  };
  const controls: ClusterControls = {
    ...own,
    registerDatabase: (name, url, options = {}) => register(name, url, options),
    removeDatabase: (name, deadlineMs) => (cluster ?? alone()).remove(name, deadlineMs),
    rotateAuthToken(token, name) {
      const own = settings.options.primary?.name ?? PRIMARY;
      if (name === undefined || name === own) {
        client.rotateAuthToken(token);
        driver().observer?.learnSecret(token.trim());
      }
      if (name === own) return;
      if (name !== undefined || cluster !== undefined) (cluster ?? alone()).rotateAuthToken(token, name);
      // Those that are registered from now on have it as well.
      if (name === undefined && settings.config.authToken !== undefined) settings.config.authToken = token.trim();
    },
    isCluster: () => cluster !== undefined,
    cluster: () => (cluster ?? alone()).status(),
    database(name) {
      (cluster ?? alone()).driverOf(name);
      return controlsOf(
        () => (cluster ?? alone()).driverOf(name),
        [],
        "libsql",
        () => client.ping(name),
      );
    },
    operations: () => [...own.operations(), ...(cluster?.operations() ?? [])],
    drain: (deadlineMs) => cluster?.drain(deadlineMs) ?? own.drain(deadlineMs),
    on: listen("on"),
    off: listen("off"),
  };
  return {
    controls,
    register,
    isBusy: () => cluster?.isBusy() ?? false,
    reopened(fresh) {
      cluster?.reopen(fresh);
      return cluster;
    },
  };
}
