// Whom the command line asks, and as whom: flags, then variables, then a profile. A token is never an argument: the list of
// processes shows those to everybody.

import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { CliError, EXIT } from "./exit.ts";
import { didYouMean } from "./nearest.ts";
import { printable } from "./printable.ts";

/** The flags of every command. */
export interface GlobalFlags {
  url?: string;
  tokenFile?: string;
  profile?: string;
  env?: string;
  timeout?: number;
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
  color?: boolean;
  /** Yes to whatever would be asked. */
  yes?: boolean;
  /** False after `--no-input`: nobody is asked. */
  input?: boolean;
  dryRun?: boolean;
}

/** Whom to ask. */
export interface Endpoint {
  /** Below this lie the routes: `https://app.example.com/api`. */
  readonly base: string;
  /** Below this lie those of operators. */
  readonly admin: string;
  readonly token: string | undefined;
  /** What it is for, as far as that is said here: whatever nobody calls otherwise, and is no address of this machine, is production. */
  readonly environment: string;
}

interface Profile {
  /** Its own name, if it was asked for by one. */
  name?: string;
  url?: unknown;
  tokenFile?: unknown;
  environment?: unknown;
}

/** What a profile can be for. */
export const ENVIRONMENTS: readonly string[] = ["production", "preview", "staging", "development", "test"];

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;
const TOKEN_FILE_MAX = 4_096;

/** @throws CliError that says what is missing or cannot be used. */
export function endpointOf(flags: GlobalFlags, env: NodeJS.ProcessEnv = process.env): Endpoint {
  const profile = profileOf(flags, env);
  const address = flags.url ?? nonEmpty(env.SEAWALL_URL) ?? textOf(profile, "url");
  if (address === undefined) {
    throw usage(
      "NO_ADDRESS",
      "Whom shall I ask? Give --url https://app.example.com, or set SEAWALL_URL. A path says where the routes lie, if that is not /api.",
    );
  }
  const url = urlOf(address);
  const token = tokenOf(flags.tokenFile, env, textOf(profile, "tokenFile"));
  if (token !== undefined && url.protocol === "http:" && !LOOPBACK.test(url.hostname)) {
    throw usage("TOKEN_IN_THE_CLEAR", "A token is sent over https only, or to this machine. Use an https address.");
  }
  const path = url.pathname.replace(/\/+$/, "");
  return {
    base: `${url.origin}${path === "" ? "/api" : path}`,
    admin: `${url.origin}/admin/api`,
    token,
    environment: environmentOf(profile, url),
  };
}

function environmentOf(profile: Profile, url: URL): string {
  const said = textOf(profile, "environment") ?? (ENVIRONMENTS.includes(profile.name ?? "") ? profile.name : undefined);
  if (said !== undefined && !ENVIRONMENTS.includes(said)) {
    const message = `environment of the profile is one of ${ENVIRONMENTS.join(", ")}.${didYouMean(said, ENVIRONMENTS)}`;
    throw usage("PROFILE", message);
  }
  return said ?? (LOOPBACK.test(url.hostname) ? "development" : "production");
}

function urlOf(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    // What was given may be a token in the wrong place: it is not repeated.
    throw usage("ADDRESS_INVALID", "The address cannot be used: give one like https://app.example.com.");
  }
  if (url.username !== "" || url.password !== "" || url.search !== "") {
    throw usage(
      "ADDRESS_WITH_SECRET",
      "The address may have no user, password or query: a token goes into SEAWALL_ADMIN_TOKEN or --token-file.",
    );
  }
  return url;
}

function tokenOf(flag: string | undefined, env: NodeJS.ProcessEnv, profile: string | undefined): string | undefined {
  const variable = flag === undefined ? nonEmpty(env.SEAWALL_ADMIN_TOKEN) : undefined;
  const file = flag ?? (variable === undefined ? profile : undefined);
  if (file === undefined && variable === undefined) return undefined;
  const token = (variable ?? fileOf(file ?? "")).trim();
  if (!/^[\x21-\x7e]+$/.test(token)) {
    const where = variable === undefined ? (file === "-" ? "stdin" : "the token file") : "SEAWALL_ADMIN_TOKEN";
    throw usage("TOKEN_INVALID", `The token of ${where} cannot be used: it is one word of visible ASCII characters.`);
  }
  return token;
}

function fileOf(path: string): string {
  try {
    const text = readFileSync(path === "-" ? 0 : path, "utf8");
    if (text.length <= TOKEN_FILE_MAX) return text;
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    throw usage("TOKEN_FILE", `The token file ${printable(path)} cannot be read: ${code}.`);
  }
  throw usage("TOKEN_FILE", `The token file ${printable(path)} is too long to hold a token.`);
}

function profileOf(flags: GlobalFlags, env: NodeJS.ProcessEnv): Profile {
  const { profile, env: environment } = flags;
  if (profile !== undefined && environment !== undefined && profile !== environment) {
    throw usage("PROFILES", "--env is another name of --profile: give one of them.");
  }
  const name = profile ?? environment ?? nonEmpty(env.SEAWALL_PROFILE);
  if (name === undefined) return {};
  const path = join(nonEmpty(env.XDG_CONFIG_HOME) ?? join(homedir(), ".config"), "seawall", "profiles.json");
  let profiles: unknown;
  try {
    profiles = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? "it is no JSON";
    throw usage("PROFILE_FILE", `The profiles in ${printable(path)} cannot be read: ${why}.`);
  }
  const all = typeof profiles === "object" && profiles !== null ? profiles : {};
  const found: unknown = Object.hasOwn(all, name) ? (all as Record<string, unknown>)[name] : undefined;
  if (typeof found !== "object" || found === null) {
    const names = Object.keys(all);
    const which = names.length === 0 ? "there are none" : `there are ${names.join(", ")}`;
    throw usage("PROFILE", printable(`There is no profile ${name}: ${which}.${didYouMean(name, names)}`));
  }
  return { ...found, name };
}

function textOf(profile: Profile, name: keyof Profile): string | undefined {
  const value = profile[name];
  if (value === undefined) return undefined;
  if (typeof value === "string" && value !== "") return value;
  throw usage("PROFILE", `${name} of the profile must be a text.`);
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text === "" ? undefined : text;
}

function usage(code: string, message: string): CliError {
  return new CliError(EXIT.usage, code, message);
}
