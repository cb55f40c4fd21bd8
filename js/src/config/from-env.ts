// Environment variables into settings. The core reads their texts; here is only which variable means what.

import { environmentOf, type ReadVariable } from "./environment.ts";
import type { GivenSetting, SeawallOptions } from "./options.ts";
import { PRESETS, VARIABLES } from "./variables.ts";

/** Variables by name, as `process.env` or a Worker's `env` has them. What is no text is passed over. */
export type Variables = Readonly<Record<string, unknown>>;

/**
 * Settings that environment variables make, to spread under your own: `seawall: { ...fromEnv(process.env), … }`.
 * docs/config.md lists the variables. An option in code wins over them, and of two variables for one setting the first
 * in that list; that they differ is in `config().warnings`.
 *
 * Nothing is checked here: a value that cannot be used is told with all others when the client is made.
 */
export function fromEnv(variables: Variables): Pick<SeawallOptions, "given"> {
  return { given: givenBy((name) => textOf(variables, name)) };
}

/** Where the database is, and its token, from the same variables. */
export interface ConnectionFromEnv {
  url: string;
  authToken?: string;
}

const SCHEMES = /^(?:libsql|https?|wss?|file):/i;
const IS_REMOTE = /^(?:libsql|https|wss):/i;
const IS_LOOPBACK = /^[a-z]+:\/\/(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?:[:/?]|$)/i;

/**
 * `TURSO_DATABASE_URL`, else `DATABASE_URL`, and `TURSO_AUTH_TOKEN`: spread it into the settings of `createClient`.
 *
 * @throws Error that names every variable that is missing or cannot be used, and repeats none of their values. A database
 * that is reached over the network with encryption needs a token.
 */
export function connectionFromEnv(variables: Variables): ConnectionFromEnv {
  const problems: string[] = [];
  const name = textOf(variables, "TURSO_DATABASE_URL") === undefined ? "DATABASE_URL" : "TURSO_DATABASE_URL";
  const url = textOf(variables, name);
  const authToken = textOf(variables, "TURSO_AUTH_TOKEN");
  if (url === undefined) {
    problems.push("TURSO_DATABASE_URL is not set; set it to the address of a libSQL database, libsql://…");
  } else if (!SCHEMES.test(url)) {
    problems.push(`${name} must begin with libsql:, https:, http:, wss: or file:`);
  } else if (authToken === undefined && IS_REMOTE.test(url) && !IS_LOOPBACK.test(url) && !url.includes("authToken=")) {
    problems.push("TURSO_AUTH_TOKEN is not set; a remote database needs a token");
  }
  if (problems.length > 0 || url === undefined) throw new Error(`invalid configuration: ${problems.join("; ")}`);
  return authToken === undefined ? { url } : { url, authToken };
}

/** What the variables say, as the core takes it. A bare number gets the variable's unit. */
export function givenBy(read: ReadVariable): GivenSetting[] {
  const given: GivenSetting[] = [];
  for (const [name, path, unit] of VARIABLES) {
    const text = (path === "environment" ? environmentOf(read) : read(name))?.trim();
    if (text) given.push([path, name, /\d$/.test(text) ? text + unit : text]);
  }
  return given;
}

/** What a preset says. A space in the name of what gave it tells it from a variable. */
export function givenByPreset(preset: unknown): GivenSetting[] {
  const settings = typeof preset === "string" && Object.hasOwn(PRESETS, preset) ? PRESETS[preset] : undefined;
  return (settings ?? []).map(([path, text]) => [path, `preset ${String(preset)}`, text]);
}

function textOf(variables: Variables, name: string): string | undefined {
  const value = variables[name];
  const text = typeof value === "number" || typeof value === "boolean" ? String(value) : value;
  return typeof text === "string" && text.trim() !== "" ? text.trim() : undefined;
}
