// The option `flags` as the core takes it.

import { flagVariables } from "../flags/variables.ts";
import { variables } from "../platform/platform.ts";
import type { MonitorFlags } from "./monitor.ts";

/** The same, with the variables that say what flags are. */
export function flagsOf({ env = variables(), ...said }: MonitorFlags = {}): Record<string, unknown> {
  return { ...said, variables: flagVariables(env) };
}
