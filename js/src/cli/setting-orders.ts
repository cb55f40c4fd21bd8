// Settings that hold: what operators ordered, or what the variables here say, checked and completed by the core. It lies beside the
// command line, which loads it for these commands alone.

import type { SettingFacts } from "../config/list.ts";
import type { EffectiveConfig } from "../live-settings.ts";
import type { Api, Order } from "./api.ts";
import { CliError, EXIT } from "./exit.ts";

/** Settings by group and name. */
export type Settings = Record<string, unknown>;

export interface LocalFlags {
  /** What the variables here say, instead of what was ordered there. */
  local?: boolean;
}

/** Settings, and where they were said. */
export interface Said {
  scope: "orders" | "variables";
  /** The order, if there was one to ask for. */
  order?: Order<Settings>;
  /** What the core is given. */
  options: Settings;
  environment: string | null;
}

/** Asks for the order, or reads the variables here. */
export async function said(api: () => Api, { local = false }: LocalFlags): Promise<Said> {
  if (local) {
    const { fromEnv } = await import("../index.ts");
    return { scope: "variables", options: { ...fromEnv(process.env) }, environment: null };
  }
  const asked = api();
  const order = await asked.admin<Order<Settings>>("/orders/config");
  return { scope: "orders", order, ...ordered(order.value, asked.environment) };
}

/** What an order says, for the environment that is meant: defaults differ. */
export function ordered(value: Settings | null, environment: string): Pick<Said, "options" | "environment"> {
  return { options: { environment, ...value }, environment };
}

/** What the core makes of settings. @returns All problems, if it does not take them. */
export async function checked(options: Settings): Promise<{ config: EffectiveConfig; document: string } | string[]> {
  const { createClient } = await import("../index.ts");
  try {
    // Nobody is asked by this client.
    const client = createClient({ url: "http://127.0.0.1:9", seawall: options });
    const found = { config: client.seawall.config(), document: client.seawall.exportConfig() };
    client.close();
    return found;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return message.replace(/^invalid configuration: /, "").split(/; (?!did you mean)/);
  }
}

/** The same. @throws CliError with all problems. */
export async function sound(options: Settings, why: string): Promise<{ config: EffectiveConfig; document: string }> {
  const found = await checked(options);
  if (Array.isArray(found)) throw new CliError(EXIT.usage, "CONFIGURATION_INVALID", `${why}: ${found.join("; ")}`);
  return found;
}

/** Whether settings say what this one is, by any of its names. The core adds some by itself. */
export function isSaid(settings: Settings | null, { path, aliases }: SettingFacts): boolean {
  return [path, ...aliases].some((path) => {
    const [group = "", name] = path.split(".");
    const found = settings !== null && Object.hasOwn(settings, group) ? settings[group] : undefined;
    if (name === undefined || found === undefined) return found !== undefined;
    return typeof found === "object" && found !== null && Object.hasOwn(found, name);
  });
}

/** Settings with another value of one, under its own name alone; without it if there is no value. */
export function changed(settings: Settings | null, setting: SettingFacts, value: unknown): Settings {
  const all = structuredClone(settings ?? {});
  for (const path of [setting.path, ...setting.aliases]) {
    const [group = "", name] = path.split(".");
    const members = all[group];
    if (name === undefined) delete all[group];
    else if (typeof members === "object" && members !== null) {
      delete (members as Settings)[name];
      if (Object.keys(members).length === 0) delete all[group];
    }
  }
  if (value === undefined) return all;
  const [group = "", name] = setting.path.split(".");
  all[group] = name === undefined ? value : { ...(all[group] as Settings | undefined), [name]: value };
  return all;
}
