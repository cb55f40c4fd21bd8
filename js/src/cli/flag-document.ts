// Flags as operators see and switch them, in the document that was published. What it means is decided by the core; here is
// only what a command changes.

import { CliError, EXIT } from "./exit.ts";
import { didYouMean } from "./nearest.ts";

/** A document of flags, as far as commands look into it. */
export interface FlagDocument {
  version: number;
  kill?: "all" | string[];
  flags?: Record<string, Flag>;
  [member: string]: unknown;
}

export interface Flag {
  enabled?: boolean;
  owner?: string;
  description?: string;
  default?: string;
  variants?: Record<string, unknown>;
  rules?: Rule[];
  [member: string]: unknown;
}

interface Rule {
  id?: string;
  if?: unknown[];
  /** In percent. */
  rollout?: number;
  serve: unknown;
}

/** What is turned off at once. */
export interface Kill {
  all?: boolean;
  flags?: readonly string[];
}

/** How a flag stands. */
export interface Standing {
  state: "on" | "off" | "partly";
  /** Of how many it is on, in percent; null where rules tell more than one number can. */
  percent: number | null;
  /** What turns it off, if anything does. */
  offBy: "kill" | "flag" | null;
}

/** Seawall's own layers: flags that are there whatever a document says, and whether they are on by default. */
export const LAYERS: Readonly<Record<string, boolean>> = {
  ENABLE_CONNECTION_POOL: false,
  ENABLE_STATE_MACHINE: false,
  ENABLE_CIRCUIT_BREAKER: false,
  ENABLE_ENTERPRISE_MONITORING: true,
  ENABLE_DETAILED_LOGGING: false,
};

const PREFIX = "FEATURE_";

/** All flags of a document, and the layers. */
export function namesOf(document: FlagDocument | null): string[] {
  return [...new Set([...Object.keys(document?.flags ?? {}), ...Object.keys(LAYERS)])];
}

/**
 * The flag that is meant: by its key, or by the name of its variable, with `FEATURE_` or without.
 *
 * @throws CliError with the one that was probably meant.
 */
export function found(asked: string, document: FlagDocument | null): string {
  const name = meant(asked, document);
  if (name !== undefined) return name;
  throw new CliError(EXIT.usage, "FLAG_UNKNOWN", unknown(asked, document));
}

/** The same, or nothing. */
export function meant(asked: string, document: FlagDocument | null): string | undefined {
  const names = namesOf(document);
  const bare = bareOf(asked);
  return names.find((name) => name === asked) ?? names.find((name) => name === bare || variableOf(name) === bare);
}

/** That there is no such flag, and which one was probably meant. */
export function unknown(asked: string, document: FlagDocument | null): string {
  const which =
    document === null ? "Nobody has published flags there, and Seawall's own has" : "The published flags have";
  return `${which} no ${asked}.${didYouMean(bareOf(asked), namesOf(document))} All: seawall flags:show`;
}

const bareOf = (asked: string) => (asked.startsWith(PREFIX) ? asked.slice(PREFIX.length) : asked);
const variableOf = (name: string) => name.toUpperCase().replace(/[^A-Z0-9]/g, "_");

/** How a flag stands; one that no document has is a layer. */
export function standingOf(name: string, document: FlagDocument | null, kill: Kill): Standing {
  const isKilled =
    kill.all === true ||
    kill.flags?.includes(name) === true ||
    document?.kill === "all" ||
    document?.kill?.includes(name) === true;
  if (isKilled) return { state: "off", percent: 0, offBy: "kill" };
  const flag = flagOf(name, document);
  if (flag === undefined) return LAYERS[name] === true ? ON : OFF;
  if (flag.enabled === false) return { state: "off", percent: 0, offBy: "flag" };
  const rules = flag.rules ?? [];
  if (rules.length === 0) return isOnVariant(flag, flag.default ?? "off") ? ON : OFF;
  const [only] = rules;
  if (rules.length > 1 || only === undefined || only.if !== undefined || !isOnVariant(flag, only.serve))
    return { state: "partly", percent: null, offBy: null };
  const percent = only.rollout ?? 100;
  if (percent === 100) return ON;
  return percent === 0 ? OFF : { state: "partly", percent, offBy: null };
}

const ON: Standing = { state: "on", percent: 100, offBy: null };
const OFF: Standing = { state: "off", percent: 0, offBy: null };

/** The same in words. */
export function words(name: string, document: FlagDocument | null, standing: Standing): string {
  const { state, percent, offBy } = standing;
  if (offBy === "kill") return "off (killed)";
  if (state !== "partly") return state;
  if (percent !== null) return `on for ${percent} %`;
  const rules = flagOf(name, document)?.rules ?? [];
  const shares = rules.flatMap(({ rollout }) => (rollout === undefined ? [] : [`${rollout} %`]));
  const many = rules.length === 1 ? "by a rule" : `by ${rules.length} rules`;
  return shares.length === 0 ? many : `${many}, ${shares.at(-1)} of the last`;
}

/** The document with this flag on: nothing of it turns it off, and one without rules is for everybody. */
export function enabled(name: string, document: FlagDocument): FlagDocument {
  return changed(name, document, (flag) => {
    delete flag.enabled;
    const on = variantOf(flag);
    if ((flag.rules ?? []).length === 0 && on !== undefined && !isOnVariant(flag, flag.default ?? "off"))
      flag.rules = [{ serve: on }];
  });
}

/** The document with this flag off. */
export function disabled(name: string, document: FlagDocument): FlagDocument {
  const flags = { ...document.flags, [name]: { ...flagOf(name, document), enabled: false } };
  return { ...document, flags };
}

/**
 * The document with another share of the last rule that has one, or of everybody whom no rule serves: what `ROLLOUT_…` does, too.
 *
 * @throws CliError when the flag has no share.
 */
export function rolledOut(name: string, document: FlagDocument, percent: number): FlagDocument {
  return changed(name, document, (flag) => {
    const rules = flag.rules ?? [];
    const alone = rules.length === 1 && rules[0]?.if === undefined ? rules[0] : undefined;
    const rule = rules.filter(({ rollout }) => rollout !== undefined).at(-1) ?? alone;
    const on = variantOf(flag);
    if (rule !== undefined) rule.rollout = percent;
    else if (on !== undefined) flag.rules = [...rules, { rollout: percent, serve: on }];
    else {
      const message = `${name} has no rule with a rollout, and is not boolean: there is no share to change.`;
      throw new CliError(EXIT.usage, "NO_SHARE", message);
    }
  });
}

function changed(name: string, document: FlagDocument, change: (flag: Flag) => void): FlagDocument {
  const flag = structuredClone(flagOf(name, document) ?? {});
  change(flag);
  const { kill, ...rest } = document;
  const killed = Array.isArray(kill) ? kill.filter((killed) => killed !== name) : kill;
  return { ...rest, ...(killed !== undefined && { kill: killed }), flags: { ...document.flags, [name]: flag } };
}

function flagOf(name: string, document: FlagDocument | null): Flag | undefined {
  const flags = document?.flags ?? {};
  return Object.hasOwn(flags, name) ? flags[name] : undefined;
}

/** The variant that is `true`; none of a flag that is not boolean. */
function variantOf({ variants }: Flag): string | undefined {
  if (variants === undefined) return "on";
  return Object.entries(variants).find(([, value]) => value === true)?.[0];
}

/** Whether a rule that serves this has the flag on. What is not boolean is on whatever it is. */
function isOnVariant(flag: Flag, serve: unknown): boolean {
  if (typeof serve !== "string") return true;
  return variantOf(flag) === undefined ? (flag.rules ?? []).length > 0 : serve === variantOf(flag);
}
