// The settings of the group `consistency`, checked.
import type { ConsistencyOptions } from "../config/options.ts";

/** What {@link checkConsistency} makes of the options. */
export interface ConsistencySettings {
  readonly readYourWrites: "isolate" | "token" | "off";
  readonly waitTimeoutMs: number;
  readonly onTimeout: "stale" | "error";
}

const WAIT_TIMEOUT_MS = 1_000;
const DAY_MS = 86_400_000;
const MODES = ["isolate", "token", "off"] as const;
const ENDS = ["stale", "error"] as const;
const KNOWN = ["readYourWrites", "waitTimeout", "onTimeout", "database"];

/** @throws Error that names every setting that cannot be used. */
export function checkConsistency(options: ConsistencyOptions = {}): ConsistencySettings {
  const problems: string[] = [];
  const isGroup = typeof options === "object" && options !== null;
  if (!isGroup) problems.push("consistency must be a group of settings");
  const {
    readYourWrites = "isolate",
    waitTimeout = WAIT_TIMEOUT_MS,
    onTimeout = "stale",
    database,
  } = isGroup ? options : {};
  const oneOf = (name: string, value: unknown, words: readonly string[]) => {
    if (!words.includes(value as string)) problems.push(`consistency.${name} must be one of ${words.join(", ")}`);
  };
  for (const name of Object.keys(isGroup ? options : {})) {
    if (!KNOWN.includes(name)) problems.push(`consistency.${name.slice(0, 40)} is not a setting`);
  }
  oneOf("readYourWrites", readYourWrites, MODES);
  oneOf("onTimeout", onTimeout, ENDS);
  if (!Number.isInteger(waitTimeout) || waitTimeout < 0 || waitTimeout > DAY_MS) {
    problems.push(`consistency.waitTimeout must be a whole number of ms from 0 to ${DAY_MS}`);
  }
  if (database !== undefined && (typeof database !== "string" || database === "")) {
    problems.push("consistency.database must be a name that is not empty");
  }
  if (problems.length > 0) throw new Error(`invalid configuration: ${problems.join("; ")}`);
  return { readYourWrites, waitTimeoutMs: waitTimeout, onTimeout };
}
