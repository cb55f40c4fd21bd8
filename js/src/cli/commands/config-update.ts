// `config:update <component> <key> <value>`: one setting changes for every isolate, if nobody else has changed settings since they were read.

import type { SettingFacts } from "../../config/list.ts";
import type { Api, Order } from "../api.ts";
import { CliError, EXIT, type ExitCode } from "../exit.ts";
import { coerced, componentOf, keyOf, settingOf } from "../setting-names.ts";
import { changed, isSaid, ordered, type Settings, sound } from "../setting-orders.ts";
import type { GlobalFlags } from "../settings.ts";
import type { Terminal } from "../terminal.ts";

export interface UpdateFlags extends GlobalFlags {
  /** Take back what was ordered. */
  unset?: boolean;
  reason?: string;
}

/** @throws CliError before anybody is asked for what cannot be ordered, and when somebody else changed settings meanwhile. */
export async function configUpdate(
  api: () => Api,
  terminal: Terminal,
  flags: UpdateFlags,
  [component = "", key = "", text]: readonly string[],
): Promise<ExitCode> {
  const setting = settingOf(component, key);
  const { path } = setting;
  const isUnset = flags.unset === true;
  if (isUnset === (text !== undefined)) {
    const message = `Give ${path} a value, or --unset to take back what was ordered.`;
    throw new CliError(EXIT.usage, "VALUE_MISSING", message);
  }
  const value = text === undefined ? undefined : coerced(setting, text);
  if (!setting.isLive && !isUnset) {
    const how = setting.variables[0] ?? "it in code";
    const message = `${path} cannot change while it runs: set ${how}, and deploy.`;
    throw new CliError(EXIT.usage, "NOT_LIVE", message);
  }
  const asked = api();
  const before = await asked.admin<Order<Settings>>("/orders/config");
  const after = changed(before.value, setting, value);
  const [from, to] = await Promise.all([
    valueIn(before.value, setting, asked.environment, "What is ordered cannot be used"),
    valueIn(after, setting, asked.environment, "Nothing was changed"),
  ]);
  const isChanged = from.value !== to.value || from.isOrdered !== to.isOrdered;
  const reason = flags.reason || `seawall config:update ${path}`;
  const isDry = flags.dryRun === true;
  const { version } = isChanged && !isDry ? await asked.replace("config", before.version, after, reason) : before;
  const words = `seawall config:update ${componentOf(path)} ${keyOf(path)}`;
  const next = from.isOrdered ? `${words} ${from.value}` : `${words} --unset`;
  if (terminal.isJson) {
    terminal.json({ setting: path, changed: isChanged, dryRun: isDry, from, to, version, reason, next });
    return EXIT.ok;
  }
  const { bold, dim } = terminal.colors;
  const shown = (it: typeof from) => `${it.value}${it.isOrdered ? "" : dim(" (not ordered)")}`;
  if (!isChanged) terminal.say(`${bold(path)} is ${shown(from)} already.`);
  else {
    terminal.say(`${bold(path)}: ${shown(from)} → ${bold(shown(to))}${isDry ? ", if it were done" : ""}`);
    terminal.note(`Whether it was taken: seawall config:validate. Back: ${next}`);
  }
  return EXIT.ok;
}

async function valueIn(settings: Settings | null, setting: SettingFacts, environment: string, why: string) {
  const { config } = await sound(ordered(settings, environment).options, why);
  return { value: config.settings[setting.path]?.value ?? "", isOrdered: isSaid(settings, setting) };
}
