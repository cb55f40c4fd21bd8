// Options into the text that the core checks and reads.

import type { SeawallOptions, StateOptions } from "./config/options.ts";
import type { Platform } from "./platform/platform.ts";

/** The settings of one database's policies, with what the runtime says of itself. */
export function settingsOf(options: SeawallOptions, database: string, platform: Platform): string {
  // What is unknown goes along, so that the core can name it.
  const { state, environment, compression: _, ...rest } = options;
  const {
    store: _store,
    near,
    colo: _colo,
    prefix: _prefix,
    coldReadTimeout: _timeout,
    ...schedule
  } = state ?? ({} as StateOptions);
  return JSON.stringify({
    ...rest,
    state: { ...schedule, near: near !== undefined },
    platform: {
      isProduction: (environment ?? platform.environment()) === "production",
      isPolling: platform.isPolling,
      connectionsMax: platform.connectionsMax,
      database,
    },
  });
}
