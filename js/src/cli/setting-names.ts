// Settings as operators name them: a component and a key. What there is, and of which kind, is the core's one list.

import { SETTINGS, type SettingFacts } from "../config/list.ts";
import { CliError, EXIT } from "./exit.ts";
import { didYouMean } from "./nearest.ts";

/** Where settings stand that belong to no component. */
export const GENERAL = "general";

/** Milliseconds of a unit of time. */
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

export function componentOf(path: string): string {
  return path.includes(".") ? (path.split(".")[0] ?? "") : GENERAL;
}

export function keyOf(path: string): string {
  return path.split(".").at(-1) ?? "";
}

export const COMPONENTS: readonly string[] = [...new Set(SETTINGS.map(({ path }) => componentOf(path)))];

/** Keys of a component. */
export function keysOf(component: string): string[] {
  return SETTINGS.filter(({ path }) => componentOf(path) === component).map(({ path }) => keyOf(path));
}

/** @throws CliError for a component that there is not, with the one that was probably meant. */
export function knownComponent(asked: string): string {
  if (COMPONENTS.includes(asked)) return asked;
  const message = `There is no component ${asked}.${didYouMean(asked, COMPONENTS)} All: ${COMPONENTS.join(", ")}`;
  throw new CliError(EXIT.usage, "COMPONENT_UNKNOWN", message);
}

/** The setting of that key, or of another name of it. @throws CliError with the one that was probably meant. */
export function settingOf(asked: string, key: string): SettingFacts {
  const component = knownComponent(asked);
  const path = component === GENERAL ? key : `${component}.${key}`;
  const setting = SETTINGS.find(
    (it) => componentOf(it.path) === component && (it.path === path || it.aliases.includes(path)),
  );
  if (setting !== undefined) return setting;
  const keys = keysOf(component);
  const message = `${component} has no ${key}.${didYouMean(key, keys)} All: ${keys.join(", ")}`;
  throw new CliError(EXIT.usage, "KEY_UNKNOWN", message);
}

/**
 * A value as its setting takes it, from text: `5000`, `5s`, `true`, or one of its choices.
 *
 * @throws CliError that says what it takes.
 */
export function coerced(setting: SettingFacts, text: string): number | boolean | string {
  const { path, kind, unit, min, max, choices = [] } = setting;
  const no = (takes: string) => new CliError(EXIT.usage, "VALUE_INVALID", `${path} is ${takes}; it got ${text}.`);
  if (kind === "secret") {
    const message = `${path} is a secret, which no order may hold: set ${setting.variables[0] ?? "it in the deployment"} there.`;
    throw new CliError(EXIT.usage, "SECRET", message);
  }
  if (kind === "switch") {
    if (text === "true" || text === "false") return text === "true";
    throw no("true or false");
  }
  if (kind === "choice") {
    if (choices.includes(text)) return text;
    throw no(`one of ${choices.join(", ")}${didYouMean(text, choices).replace(/^ (.*)\?$/, " ($1?)")}`);
  }
  const [, digits = "", of = ""] = /^(-?\d+(?:\.\d+)?)([a-z]*)$/.exec(text) ?? [];
  const factor = of === "" ? 1 : unit === "ms" ? UNITS[of] : undefined;
  const number = Number(digits) * (factor ?? Number.NaN);
  const isIn = digits !== "" && number >= (min ?? -Infinity) && number <= (max ?? Infinity);
  if (isIn && (kind !== "whole" || Number.isInteger(number))) return number;
  throw no(
    `a ${kind === "whole" ? "whole " : ""}number${unit === "" ? "" : ` of ${unit}`}, ${min ?? "any"} to ${max ?? "any"}`,
  );
}

/** What a setting can be, where that is a list. */
export function choicesOf(component: string, key: string): readonly string[] {
  const path = component === GENERAL ? key : `${component}.${key}`;
  const setting = SETTINGS.find((it) => it.path === path);
  return setting?.kind === "switch" ? ["true", "false"] : (setting?.choices ?? []);
}
