// Makes the driver of one database: a plain one, or one that somebody watches. Nothing on the path of an operation asks which.

import { Circuit } from "./circuit.ts";
import type { SeawallOptions } from "./config/options.ts";
import { Driver } from "./driver.ts";
import { ObservedDriver } from "./observed-driver.ts";
import type { Connections } from "./operation.ts";
import { type Platform, platform as thisPlatform } from "./platform/platform.ts";
import { observerOf } from "./telemetry/options.ts";

/**
 * Makes the policies for one database; `database` names it in the shared state, and carries no credentials.
 *
 * @param circuit Listeners and operators' hands of an earlier guard of the same database, to go on with.
 * @param connections Who sets up, checks and closes what is behind the pool's connections, if there is anything.
 */
export function createGuard(
  options: SeawallOptions,
  database: string,
  platform: Platform = thisPlatform,
  circuit: Circuit = new Circuit(database, platform),
  connections?: Connections,
): Driver {
  const observer = observerOf(circuit, options, database, platform);
  if (observer !== undefined) return new ObservedDriver(options, database, platform, circuit, connections, observer);
  return new Driver(options, database, platform, circuit, connections);
}
