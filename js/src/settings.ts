// Options into the text that the core checks and reads.

import type { SeawallOptions, StateOptions } from "./config/options.ts";
import type { Platform } from "./platform/platform.ts";

/** Turn the breaker off, or on, where no option says anything. */
const BREAKER_SWITCHES = ["ENABLE_CIRCUIT_BREAKER", "DB_CIRCUIT_BREAKER"];
const SWITCHES: Record<string, boolean> = { true: true, "1": true, false: false, "0": false };

/**
 * The settings of one database's policies, with what the runtime says of itself.
 *
 * @throws Error when the environment's switch of the breaker is none, or when retries are set in two places.
 */
export function settingsOf(
  options: SeawallOptions,
  database: string,
  platform: Platform,
  hasConnections = false,
): string {
  // What is unknown goes along, so that the core can name it.
  const { state, environment, compression: _, busyTimeout: _busy, circuitBreaker, retry, ...rest } = options;
  const {
    store: _store,
    near,
    colo: _colo,
    prefix: _prefix,
    coldReadTimeout: _timeout,
    ...schedule
  } = state ?? ({} as StateOptions);
  const isGroup = typeof circuitBreaker === "object" && circuitBreaker !== null;
  const { retry: nested, ...breaker } = isGroup ? circuitBreaker : {};
  const enabled = breaker.enabled ?? breakerSwitch(platform);
  if (nested !== undefined && retry !== undefined) {
    throw new Error(
      "invalid configuration: circuitBreaker.retry and retry are two places of one group; set one of them",
    );
  }
  return JSON.stringify({
    ...rest,
    retry: retry ?? nested,
    circuitBreaker: isGroup || circuitBreaker === undefined ? { ...breaker, enabled } : circuitBreaker,
    state: { ...schedule, near: near !== undefined },
    platform: {
      isProduction: (environment ?? platform.environment()) === "production",
      isPolling: platform.isPolling,
      connectionsMax: platform.connectionsMax,
      hasConnections,
      database,
    },
  });
}

function breakerSwitch(platform: Platform): boolean | undefined {
  let isOn: boolean | undefined;
  for (const name of BREAKER_SWITCHES) {
    const text = platform.variable?.(name);
    if (text === undefined || text === "") continue;
    const value = SWITCHES[text.toLowerCase()];
    if (value === undefined) throw new Error(`invalid configuration: ${name} must be true or false`);
    if (value !== (isOn ?? value)) throw new Error(`invalid configuration: ${BREAKER_SWITCHES.join(" and ")} differ`);
    isOn = value;
  }
  return isOn;
}
