// The options of several databases behind one client.

import type { ConnectionPoolOptions } from "../config/options.ts";

/** Labels of a database, to choose it by. */
export type Tags = Readonly<Record<string, string>>;

/** How a database is described in its cluster. */
export interface DatabaseOptions {
  /** 1, the default, comes first; others are asked when none of a lower number is healthy. */
  priority?: number;
  /** Default `true`: it is never given a write, nor a statement of which nobody knows whether it writes. */
  readOnly?: boolean;
  /** Where it is. Of equally healthy ones those of the client's own region come first. */
  region?: string;
  tags?: Tags;
  /** Default: the client's own. It is sent to this database with every request. */
  authToken?: string | (() => string | Promise<string>);
  /** Its own pool; what is not set is as the client has it. */
  connectionPool?: ConnectionPoolOptions;
}

/** One of `seawall.replicas`. */
export interface ReplicaOptions extends DatabaseOptions {
  url: string;
  /** Default `replica-1` for the first. No two databases have one name. */
  name?: string;
}

/** How the client's own database is described in its cluster; it is writable. */
export interface PrimaryOptions extends Pick<DatabaseOptions, "priority" | "region" | "tags"> {
  /** Default `primary`. */
  name?: string;
}

/** How reads are spread over the databases. */
export interface LoadBalancingOptions {
  /** `false`: always the first healthy database of the lowest priority number. */
  enabled?: boolean;
  /** Default `performance`: the lowest latency times pending operations. */
  strategy?: "performance" | "round_robin" | "least_connections" | "adaptive";
}

/** What happens when a database fails. */
export interface FailoverOptions {
  enabled?: boolean;
  /** Milliseconds for all databases of one operation together, unless the operation has a `timeout` of its own. */
  timeout?: number;
  /** Databases that one operation is sent to, at most. */
  maxAttempts?: number;
}

/** What one operation may say of where it goes. */
export interface RouteOptions {
  /** Only to databases that have all of these. */
  tags?: Tags | undefined;
  /** Only to the database of this name. */
  endpoint?: string | undefined;
  /** Databases of this region first, instead of the client's own. */
  region?: string | undefined;
  /** `false`: to one database only. */
  failover?: boolean | undefined;
}

/** The most databases of one client. */
export const DATABASES_MAX = 32;
const NAME_MAX = 64;
const TAGS_MAX = 32;
const PRIORITY_MAX = 1_000;

/**
 * Checks the description of a database.
 *
 * @throws TypeError or RangeError that names what is wrong, and never a token.
 */
export function checkDatabase(name: unknown, options: DatabaseOptions | PrimaryOptions): asserts name is string {
  if (typeof name !== "string" || name === "" || name.length > NAME_MAX) {
    throw new TypeError(`A database needs a name of 1 to ${NAME_MAX} characters`);
  }
  const { priority, region, tags } = options;
  const of = `of the database ${JSON.stringify(name)}`;
  if (priority !== undefined && !(Number.isInteger(priority) && priority >= 1 && priority <= PRIORITY_MAX)) {
    throw new RangeError(`priority ${of} must be a whole number from 1 to ${PRIORITY_MAX}`);
  }
  if (region !== undefined && typeof region !== "string") throw new TypeError(`region ${of} must be a string`);
  if (tags === undefined) return;
  const isTags = typeof tags === "object" && tags !== null && !Array.isArray(tags);
  if (!isTags || Object.values(tags).some((value) => typeof value !== "string")) {
    throw new TypeError(`tags ${of} must be an object of strings`);
  }
  if (Object.keys(tags).length > TAGS_MAX) throw new RangeError(`tags ${of} must be at most ${TAGS_MAX}`);
}
