// Options into the text that the core checks and reads.

import type { SeawallOptions } from "./config/options.ts";
import type { Platform } from "./platform/platform.ts";

/** The settings of one database's policies, with what the runtime says of itself. */
export function settingsOf(options: SeawallOptions, database: string, platform: Platform): string {
  const { connectionPool, circuitBreaker, retry, timeouts, state, environment } = options;
  const { readInterval, writeInterval, writeJitter } = state ?? {};
  return JSON.stringify({
    connectionPool,
    circuitBreaker,
    retry,
    timeouts,
    state: { readInterval, writeInterval, writeJitter },
    platform: {
      isProduction: (environment ?? platform.environment()) === "production",
      isPolling: platform.isPolling,
      connectionsMax: platform.connectionsMax,
      database,
    },
  });
}
