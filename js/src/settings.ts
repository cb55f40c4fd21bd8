// Options into the lines and numbers that the core checks and reads.

import type { SeawallOptions, StateOptions } from "./config/options.ts";
import type { Platform } from "./platform/platform.ts";

/** Turn the breaker off, or on, where no option says anything. */
const BREAKER_SWITCHES = ["ENABLE_CIRCUIT_BREAKER", "DB_CIRCUIT_BREAKER"];
const SWITCHES: Record<string, boolean> = { true: true, "1": true, false: false, "0": false };

/** Settings as they cross into the core; see `Raw::from_lines` in src/config/raw.rs. */
export interface Settings {
  /** One for each group and each value. */
  readonly lines: string;
  /** Four about this runtime, then one for each line: the value if it is a number, else NaN. */
  readonly numbers: Float64Array;
  /** Names the database in the shared state. */
  readonly database: string;
}

/** Values are shown up to so many characters. */
const SHOWN_MAX = 40;

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
): Settings {
  // What is unknown goes along, so that the core can name it.
  const {
    state,
    environment,
    compression: _,
    busyTimeout: _busy,
    consistency: _c,
    queryCost: _q,
    tier,
    tenant,
    queryCache,
    circuitBreaker,
    retry,
    ...rest
  } = options;
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
  const isProduction = (environment ?? platform.environment()) === "production";
  const switches = [isProduction, platform.isPolling, hasConnections].map(Number);
  const host = [...switches, platform.connectionsMax ?? Number.POSITIVE_INFINITY];
  // As JSON has them: what is not set is not there, and only plain values are left.
  const groups: Record<string, unknown> = JSON.parse(
    JSON.stringify({
      ...rest,
      // One group, under the name that users know.
      tenant: tier === undefined ? tenant : { tier, ...tenant },
      queryCache: typeof queryCache === "object" ? { ...queryCache, related: undefined } : queryCache,
      retry: retry ?? nested,
      circuitBreaker: isGroup || circuitBreaker === undefined ? { ...breaker, enabled } : circuitBreaker,
      state: { ...schedule, near: near !== undefined },
    }),
  );
  return { ...flat(groups, host), database };
}

/** Groups as lines, and the numbers that belong to them after those of `host`. */
function flat(groups: Record<string, unknown>, host: readonly number[]): Omit<Settings, "database"> {
  const lines: string[] = [];
  const numbers = [...host];
  const add = (line: string, value: unknown) => {
    lines.push(line);
    numbers.push(typeof value === "number" ? value : Number.NaN);
  };
  for (const [group, members] of Object.entries(groups)) {
    if (typeof members !== "object" || members === null || Array.isArray(members)) {
      add(`${inOneLine(group)}\t${shown(members)}`, members);
      continue;
    }
    add(inOneLine(group), undefined);
    for (const [name, value] of Object.entries(members))
      add(`${inOneLine(group)}\t${inOneLine(name)}\t${shown(value)}`, value);
  }
  return { lines: lines.join("\n"), numbers: Float64Array.from(numbers) };
}

function shown(value: unknown): string {
  return JSON.stringify(value).slice(0, SHOWN_MAX);
}

/** A name without what ends names and lines: no setting is called so. */
function inOneLine(name: string): string {
  return name.replace(/[\t\r\n]/g, "?");
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
