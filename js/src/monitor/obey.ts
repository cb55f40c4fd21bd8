// Does what operators ordered to the databases of this isolate: the twin of `obey` in src/worker/isolate.rs.

import type { SeawallOptions } from "../config/options.ts";
import { CircuitState } from "../controls.ts";
import type { TenantOrder } from "../tenants/tenants.ts";
import type { Answer, Command } from "./exchange.ts";
import type { Watched, WatchedControls, WatchedTenants } from "./watched.ts";

/** The settings of each database before the first order changed them. */
const own = new WeakMap<WatchedControls, string>();

/** Obeys `commands` as far as there is something here that they are about. */
export function obeyed(
  commands: readonly Command[],
  databases: readonly Watched[],
  tenants: readonly (readonly [string, WatchedTenants])[],
): Answer {
  const problems: string[] = [];
  for (const command of commands) {
    if (command.do === "tenants") {
      const said = JSON.parse(command.tenants) as Record<string, TenantOrder>;
      for (const [, those] of tenants) those.obey?.(said);
      continue;
    }
    const isMeant = ({ name }: Watched) =>
      !("database" in command) || command.database === null || command.database === name;
    for (const { name, controls } of databases.filter(isMeant)) {
      if (controls === undefined) continue;
      try {
        obey(command, controls);
      } catch (error) {
        problems.push(`${name}: ${error instanceof Error ? error.message : "it failed"}`);
      }
    }
  }
  return problems.length === 0 ? "obeyed" : { failed: problems.join(" ") };
}

function obey(command: Exclude<Command, { do: "tenants" }>, controls: WatchedControls): void {
  switch (command.do) {
    case "hold": {
      const { state, by, reason } = command;
      if (state === null) controls.circuitBreaker?.release({ by, reason });
      else
        controls.circuitBreaker?.forceState(state === "open" ? CircuitState.OPEN : CircuitState.CLOSED, { by, reason });
      break;
    }
    case "reset":
      controls.circuitBreaker?.reset({ by: command.by, reason: command.reason });
      break;
    case "drain":
      controls.cleanup?.(command.isAll ? "all" : "idle");
      break;
    case "configure":
      configure(controls, JSON.parse(command.settings) as SeawallOptions);
  }
}

/** What the order does not say is as it was before the first one. */
function configure(controls: WatchedControls, settings: SeawallOptions): void {
  if (controls.exportConfig === undefined) return;
  const before = controls.exportConfig();
  const first = own.get(controls);
  if (first === undefined) own.set(controls, before);
  else controls.importConfig?.(first);
  try {
    controls.configure?.(settings);
  } catch (error) {
    if (first !== undefined) controls.importConfig?.(before);
    throw error;
  }
}
