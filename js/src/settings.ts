// Options into the lines and numbers that the core checks and reads.

import { isGroup, type PlainSettings } from "./config/document.ts";
import { givenByPreset } from "./config/from-env.ts";
import type { GivenSetting, SeawallOptions } from "./config/options.ts";
import type { Platform } from "./platform/platform.ts";

/** Turn the breaker off, or on, where no option says anything: read whether or not anybody asked for variables. */
const BREAKER_SWITCHES = ["ENABLE_CIRCUIT_BREAKER", "DB_CIRCUIT_BREAKER"];
const ENVIRONMENTS = ["production", "preview", "staging", "development", "test"];
/** What belongs to the host alone, beside the groups and inside of `state`. */
const HOST_OPTIONS = [
  "authToken",
  "compression",
  "given",
  "queryCost",
  "replicas",
  "primary",
  "region",
  "logging",
  "layers",
] as const;
const HOST_STATE_OPTIONS = ["store", "near", "colo", "prefix"] as const;
/** A number in JSON, and perhaps letters after it. */
const QUANTITY = /^(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)[a-z]*$/;

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
 * @param over Options that were changed while it runs.
 * @param hasConnections Whether there is something behind the pool's connections.
 * @throws Error when retries are set in two places.
 */
export function settingsOf(
  options: SeawallOptions,
  database: string,
  platform: Platform,
  over: PlainSettings = {},
  hasConnections = false,
): Settings {
  const { near } = options.state ?? {};
  const groups = plain(options);
  groups.state = isGroup(groups.state ?? {}) ? { ...(groups.state as object), near: near !== undefined } : groups.state;
  const lines = new Lines([
    Number(platform.environment() === "production"),
    Number(platform.isPolling),
    Number(hasConnections),
    platform.connectionsMax ?? Number.POSITIVE_INFINITY,
  ]);
  lines.addGroups(groups, "");
  lines.addGroups(plain(over), "\tover");
  for (const [path, by, text] of given(options, platform)) {
    const [group, name = ""] = path.split(".") as [string, string?];
    lines.add(`${group}\t${name}`, text, `\t${by}`);
  }
  return { lines: lines.text.join("\n"), numbers: Float64Array.from(lines.numbers), database };
}

/** Options without what belongs to the host alone. What is unknown goes along, so that the core can name it. */
export function plain(options: SeawallOptions | PlainSettings): PlainSettings {
  const groups: PlainSettings = { ...options };
  for (const name of HOST_OPTIONS) delete groups[name];
  const { state, circuitBreaker, retry, consistency, queryCache, tracing } = groups;
  // How spans are made is for the host; whether, for the list of settings.
  if (isGroup(tracing)) groups.tracing = Object.fromEntries(Object.entries(tracing).filter(isForTheList));
  if (isGroup(queryCache)) {
    const { related: _related, ...others } = queryCache;
    groups.queryCache = others;
  }
  if (isGroup(consistency)) {
    const { database: _database, ...others } = consistency;
    groups.consistency = others;
  }
  if (isGroup(state)) {
    groups.state = { ...state };
    for (const name of HOST_STATE_OPTIONS) delete (groups.state as PlainSettings)[name];
  }
  if (isGroup(circuitBreaker) && circuitBreaker.retry !== undefined) {
    if (retry !== undefined) {
      throw new Error(
        "invalid configuration: circuitBreaker.retry and retry are two places of one group; set one of them",
      );
    }
    const { retry: nested, ...breaker } = circuitBreaker;
    groups.circuitBreaker = breaker;
    groups.retry = nested;
  }
  // As JSON has them: what is not set is not there, and only plain values are left.
  return JSON.parse(JSON.stringify(groups));
}

/** Plain settings with what belongs to the host alone, as other options have it. */
export function withHost(settings: PlainSettings, host: SeawallOptions): SeawallOptions {
  const { state: plainState, ...options } = settings;
  for (const name of HOST_OPTIONS) if (host[name] !== undefined) options[name] = host[name];
  for (const [group, members] of Object.entries(host)) {
    if (!isGroup(members)) continue;
    const functions = Object.entries(members).filter(([, member]) => typeof member === "function");
    if (functions.length > 0) options[group] = { ...(options[group] as object), ...Object.fromEntries(functions) };
  }
  if (isGroup(host.tracing)) {
    const own = Object.entries(host.tracing).filter((member) => !isForTheList(member));
    if (own.length > 0) options.tracing = { ...(options.tracing as object), ...Object.fromEntries(own) };
  }
  const related = host.queryCache?.related;
  if (related !== undefined) options.queryCache = { ...(options.queryCache as object), related };
  const database = host.consistency?.database;
  if (database !== undefined) options.consistency = { ...(options.consistency as object), database };
  // Whether there is a store near by is a setting for the core, and here the store itself.
  const { near: _near, ...state } = isGroup(plainState) ? plainState : {};
  for (const name of HOST_STATE_OPTIONS) if (host.state?.[name] !== undefined) state[name] = host.state[name];
  if (host.state !== undefined || Object.keys(state).length > 0) options.state = state;
  return options;
}

const TRACING_OF_HOST = new Set(
  "endpoint headers serviceName resource sampleRatio fetch tracer meter propagate".split(" "),
);

function isForTheList([name]: [string, unknown]): boolean {
  return !TRACING_OF_HOST.has(name);
}

/** What holds where no option says anything: variables, the preset, what the host finds out. */
function given(options: SeawallOptions, platform: Platform): GivenSetting[] {
  const all: GivenSetting[] = [...(options.given ?? [])];
  for (const name of BREAKER_SWITCHES) {
    const text = platform.variable?.(name);
    if (text !== undefined && text !== "" && !all.some(([, by]) => by === name)) {
      all.push(["circuitBreaker.enabled", name, text]);
    }
  }
  all.push(...givenByPreset(options.preset));
  const environment = platform.environment();
  if (environment !== undefined && ENVIRONMENTS.includes(environment)) {
    all.push(["environment", "this host", environment]);
  }
  return all;
}

/** Settings as lines, with a number for each after those of the host. */
class Lines {
  readonly text: string[] = [];
  readonly numbers: number[];

  constructor(host: readonly number[]) {
    this.numbers = [...host];
  }

  add(path: string, value: unknown, by: string): void {
    this.text.push(`${path}\t${shown(value)}${by}`);
    const number = typeof value === "string" ? QUANTITY.exec(value)?.[1] : value;
    this.numbers.push(typeof number === "number" || typeof number === "string" ? Number(number) : Number.NaN);
  }

  addGroups(groups: PlainSettings, by: string): void {
    for (const [group, members] of Object.entries(groups)) {
      this.add(`${inOneLine(group)}\t`, isGroup(members) ? {} : members, by);
      if (!isGroup(members)) continue;
      for (const [name, value] of Object.entries(members)) {
        this.add(`${inOneLine(group)}\t${inOneLine(name)}`, value, by);
      }
    }
  }
}

function shown(value: unknown): string {
  return JSON.stringify(value).slice(0, SHOWN_MAX);
}

/** A name without what ends names and lines: no setting is called so. */
function inOneLine(name: string): string {
  return name.replace(/[\t\r\n]/g, "?");
}
